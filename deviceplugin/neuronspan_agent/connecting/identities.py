"""Who we are, again at each call: passwords, tokens that are written anew, programs that give credentials for a while.

Law: what is good is not asked for again; what is not as good as before, an unreadable token file, does not end what
still works. Raises Unavailable: the next call may succeed.
"""

import asyncio
import base64
import dataclasses
import datetime as dt
import pathlib
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from neuronspan_agent import errors
from neuronspan_agent.connecting import entries, exec_plugins, openid, targets, trust

_FRESH_SECONDS = 50.0
"""How old a token from a file may be: client-go reads after a minute less ten seconds (transport/token_source.go).
kubelet writes a new one when a fifth of the old one's time, at least two minutes, is left."""

_CERTIFICATE_SECONDS = 300.0
"""How old a client certificate from a file may be, as with client-go (transport/cert_rotation.go)."""

Headers = Sequence[tuple[str, str]]


@dataclasses.dataclass(frozen=True, slots=True)
class Proof:
    """What to show: headers, and a client certificate with its key as PEM, empty without one."""

    authorization: str = dataclasses.field(default="", repr=False)
    certificate: bytes = dataclasses.field(default=b"", repr=False)
    key: bytes = dataclasses.field(default=b"", repr=False)


class Identity(Protocol):
    """Gives what proves who we are."""

    async def proof(self) -> Proof:
        """Return what to show now; raises Unavailable."""

    def refused(self, proof: Proof) -> bool:
        """Note that the server did not accept this proof; whether another one may come of asking again."""


def of(target: targets.Target, authority: bytes, environment: Mapping[str, str]) -> Identity:
    """Return the identity of a target's user; files and programs are first looked at when it is asked."""
    shown = _without_certificate(target, authority, environment)
    return Certified(shown, target.user) if target.user.has_certificate else shown


def _without_certificate(targeted: targets.Target, authority: bytes, environment: Mapping[str, str]) -> "Identity":
    user = targeted.user
    if user.token_file:
        return TokenFile(pathlib.Path(user.token_file), user.token)
    if user.token:
        return Fixed(Proof(f"Bearer {user.token}"))
    if user.username:
        secret = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
        return Fixed(Proof(f"Basic {secret}"))
    if user.plugin is not None and not user.has_certificate:
        told = exec_plugins.cluster_info(targeted.cluster, authority, targeted.proxy)
        return Program(user.plugin, told, environment)
    if user.provider is not None:
        return Provider(openid.Tokens(user.provider.get("config") or {}, environment))
    return Fixed(Proof())


def acting(user: entries.User) -> Headers:
    """Return the headers that say as whom to act, "" in none of them (k8s.io/client-go/transport/round_trippers.go)."""
    single = [("Impersonate-User", user.act_as), ("Impersonate-Uid", user.act_as_uid)]
    groups = [("Impersonate-Group", each) for each in user.act_as_groups]
    extra = [(f"Impersonate-Extra-{_escaped(key)}", value) for key, value in user.act_as_extra]
    return [(name, value) for name, value in [*single, *groups, *extra] if value]


class Fixed:
    """Says the same always."""

    def __init__(self, proof: Proof) -> None:
        self._proof = proof

    async def proof(self) -> Proof:
        """Return what to show."""
        return self._proof

    def refused(self, _: Proof) -> bool:
        """Return False: there is nothing else to say."""
        return False


class Certified:
    """Shows a client certificate beside what somebody else says, and reads its files again now and then."""

    def __init__(self, beside: Identity, user: entries.User, clock: Callable[[], float] = time.monotonic) -> None:
        self._beside = beside
        self._user = user
        self._clock = clock
        self._pair: tuple[bytes, bytes] | None = None
        self._until = 0.0

    async def proof(self) -> Proof:
        """Return what the other one says with the certificate; raises LoginFailed when it never could be read."""
        said = await self._beside.proof()
        if self._pair is None or self._clock() >= self._until:
            self._pair = self._read()
            self._until = self._clock() + _CERTIFICATE_SECONDS
        return dataclasses.replace(said, certificate=self._pair[0], key=self._pair[1])

    def refused(self, proof: Proof) -> bool:
        """Read the files at the next call; whether there is something else to say."""
        self._until = 0.0
        other = self._beside.refused(dataclasses.replace(proof, certificate=b"", key=b""))
        return other or self._read() != (proof.certificate, proof.key)

    def _read(self) -> tuple[bytes, bytes]:
        """Return certificate and key; those from before while the files cannot be read, or are not one pair yet."""
        try:
            found = trust.pair(self._user)
            trust.show(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), *found)
        except (errors.LoginFailed, errors.Unavailable):
            if self._pair is None:
                raise
            return self._pair
        return found


class TokenFile:
    """Reads a token again and again; while the file cannot be read, the last one counts."""

    def __init__(self, path: pathlib.Path, token: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._token = token
        self._until: float | None = None

    async def proof(self) -> Proof:
        """Return the token of the file."""
        if self._until is None or self._clock() >= self._until:
            self._token = self._read()
            self._until = self._clock() + _FRESH_SECONDS
        return Proof(f"Bearer {self._token}")

    def refused(self, proof: Proof) -> bool:
        """Read the file at the next call; whether it has another token now."""
        self._until = None
        try:
            return f"Bearer {self._read()}" != proof.authorization
        except errors.Unavailable:
            return False

    def _read(self) -> str:
        try:
            token = self._path.read_text(encoding="utf-8").strip()
            problem = "" if token else "it is empty"
        except (OSError, UnicodeDecodeError) as error:
            token, problem = "", str(error.strerror if isinstance(error, OSError) else error)
        if problem and not self._token:
            way_out = "write a token into it, or name another file"
            raise errors.Unavailable(f"the token file {self._path} cannot be used: {problem}; {way_out}")
        return token or self._token


class Program:
    """Runs an exec plugin when there are no credentials yet, and when they expire or are refused."""

    def __init__(
        self,
        plugin: entries.Plugin,
        told: Mapping[str, Any],
        environment: Mapping[str, str],
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._plugin = plugin
        self._told = told
        self._environment = environment
        self._now = now
        self._answer: exec_plugins.Answer | None = None
        self._running = asyncio.Lock()
        """The program may ask the user something, so it runs once at a time."""

    async def proof(self) -> Proof:
        """Return the program's credentials, run again when the last ones have expired."""
        async with self._running:
            if self._answer is None or (self._answer.expires is not None and self._now() > self._answer.expires):
                self._answer = None  # what has expired is not said once more when the program fails
                self._answer = await exec_plugins.run(self._plugin, self._told, self._environment)
            return _shown(self._answer)

    def refused(self, proof: Proof) -> bool:
        """Run the program at the next call, unless it has given other credentials since."""
        if self._answer is not None and _shown(self._answer) == proof:
            self._answer = None
        return True


def _shown(answer: exec_plugins.Answer) -> Proof:
    return Proof(f"Bearer {answer.token}" if answer.token else "", answer.certificate, answer.key)


class Provider:
    """Says an OpenID Connect token."""

    def __init__(self, tokens: openid.Tokens) -> None:
        self._tokens = tokens

    async def proof(self) -> Proof:
        """Return the token, a new one when it is over."""
        return Proof(f"Bearer {await self._tokens.token()}")

    def refused(self, _: Proof) -> bool:
        """Return False: as with kubectl another one is asked for only when a token is over."""
        return False


def _escaped(key: str) -> str:
    """Return a key of extras as a header's name may hold it, in lower case; client-go escapes bytes, not characters."""
    kept = "abcdefghijklmnopqrstuvwxyz0123456789!#$&'*+-.^_`|~"
    return "".join(each if each in kept else "".join(f"%{byte:02X}" for byte in each.encode()) for each in key.lower())
