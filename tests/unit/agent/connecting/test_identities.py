"""Who we are, again at each call."""

import asyncio
import base64
import datetime as dt
import json
import pathlib
import time
from typing import Any

import pytest

from kits.connecting import login_programs
from neuronspan_agent import errors
from neuronspan_agent.connecting import entries, identities, targets

Proof = identities.Proof
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def _of(user: entries.User) -> identities.Identity:
    target = targets.Target(cluster=entries.Cluster(server="https://api"), user=user, source="a test")
    return identities.of(target, b"", {})


@pytest.mark.parametrize(
    ("user", "authorization"),
    [
        (entries.User(), ""),
        (entries.User(token="t"), "Bearer t"),
        (entries.User(username="me", password="p:w"), f"Basic {base64.b64encode(b'me:p:w').decode()}"),
        (entries.User(token="t", plugin=entries.Plugin(command="/none", api_version="v")), "Bearer t"),
    ],
    ids=["nobody", "token", "password", "token before a program"],
)
async def test_what_is_fixed_is_said_always(user: entries.User, authorization: str) -> None:
    identity = _of(user)
    assert await identity.proof() == Proof(authorization)
    assert not identity.refused(await identity.proof())


def test_acting_is_said_in_headers() -> None:
    user = entries.User(
        act_as="other", act_as_uid="7", act_as_groups=("a", "b"), act_as_extra=(("Ex/tra%", "x"), ("Ex/tra%", "y"))
    )
    assert identities.acting(user) == [
        ("Impersonate-User", "other"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Extra-ex%2Ftra%25", "x"),
        ("Impersonate-Extra-ex%2Ftra%25", "y"),
    ]
    assert identities.acting(entries.User()) == []


class Hand:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> dt.datetime:
        return START + dt.timedelta(seconds=self.seconds)


async def test_token_file_is_read_again_after_a_while(tmp_path: pathlib.Path) -> None:
    path, clock = tmp_path / "token", Hand()
    path.write_text("one\n")
    identity = identities.TokenFile(path, clock=clock)
    assert await identity.proof() == Proof("Bearer one")
    path.write_text("two")
    clock.seconds = 49
    assert await identity.proof() == Proof("Bearer one")
    clock.seconds = 51
    assert await identity.proof() == Proof("Bearer two")


async def test_token_that_is_refused_is_read_again_at_once(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    identity = identities.TokenFile(path, clock=Hand())
    proof = await identity.proof()
    assert not identity.refused(proof)
    path.write_text("two")
    assert identity.refused(proof)
    assert await identity.proof() == Proof("Bearer two")


@pytest.mark.parametrize("content", [None, "", " \n", b"\xff"])
async def test_token_file_that_becomes_unusable_leaves_the_last_token(
    tmp_path: pathlib.Path, content: str | bytes | None
) -> None:
    path, clock = tmp_path / "token", Hand()
    path.write_text("one")
    identity = identities.TokenFile(path, clock=clock)
    await identity.proof()
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    clock.seconds = 100
    assert await identity.proof() == Proof("Bearer one")
    assert not identity.refused(Proof("Bearer one"))
    with pytest.raises(errors.Unavailable, match=f"the token file {path} cannot be used: .*; write a token into it"):
        await identities.TokenFile(path).proof()
    assert await identities.TokenFile(path, "beside it").proof() == Proof("Bearer beside it")


def test_program_is_run_again_when_what_it_gave_expires_or_is_refused(tmp_path: pathlib.Path) -> None:
    program, clock = login_programs.LoginProgram(tmp_path), Hand()
    program.gives(token="one", expirationTimestamp=(START + dt.timedelta(seconds=60)).isoformat())
    identity = identities.Program(program.plugin(), {}, {}, now=clock.now)

    async def play() -> None:
        first = await identity.proof()
        program.gives(token="two")
        assert (await asyncio.gather(identity.proof(), identity.proof())) == [first, first] == [Proof("Bearer one")] * 2
        clock.seconds = 61
        second = await identity.proof()
        assert second == Proof("Bearer two")
        assert program.runs() == 2
        program.gives(token="three")
        assert identity.refused(first)  # it was run again since: nothing more to do
        assert await identity.proof() == second
        assert identity.refused(second)
        assert await asyncio.gather(identity.proof(), identity.proof()) == [Proof("Bearer three")] * 2
        assert program.runs() == 3

    asyncio.run(play())


def test_what_has_expired_is_not_said_when_the_program_fails(tmp_path: pathlib.Path) -> None:
    program, clock = login_programs.LoginProgram(tmp_path), Hand()
    program.gives(token="one", expirationTimestamp=START.isoformat())
    identity = identities.Program(program.plugin(), {}, {}, now=clock.now)

    async def play() -> None:
        await identity.proof()
        clock.seconds = 1
        program.prints("", status=3)
        for _ in range(2):
            with pytest.raises(errors.Unavailable, match="ended with 3"):
                await identity.proof()

    asyncio.run(play())
    assert program.runs() == 3


def _id_token(expires: float) -> str:
    parts = ({"alg": "none"}, {"exp": expires}, {})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"id-token": _id_token(time.time() + 3600)}, ""),
        ({"id-token": _id_token(time.time() - 10)}, "refresh-token"),
        ({"id-token": "no token"}, "JWT"),
        ({}, "cannot be used"),
    ],
    ids=["good", "expired", "nonsense", "none"],
)
def test_token_of_an_openid_provider_counts_until_it_expires(config: dict[str, Any], said: str) -> None:
    identity = _of(entries.User(provider={"name": "oidc", "config": config}))

    async def ask() -> None:
        if said:
            with pytest.raises(errors.Unavailable, match=f"{said}.*log in again with your provider's tool"):
                await identity.proof()
        else:
            proof = await identity.proof()
            assert proof == Proof(f"Bearer {config['id-token']}") == await identity.proof()
            assert not identity.refused(proof)

    asyncio.run(ask())
