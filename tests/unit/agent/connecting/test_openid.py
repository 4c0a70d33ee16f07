"""Tokens of an OpenID provider: which count, how they are renewed, and what is said when they cannot be."""

import asyncio
import base64
import contextlib
import json
import pathlib
import urllib.parse
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import web

from kits.connecting import authorities
from neuronspan_agent import errors
from neuronspan_agent.connecting import openid

NOW = 1_000_000.0
WHO = {"client-id": "a:b", "client-secret": "s t"}


def _token(**claims: Any) -> str:
    parts: tuple[dict[str, Any], ...] = ({"alg": "none"}, claims, {})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


class Provider:
    """An OpenID provider over TLS that notes what it is asked, and answers as a test wants it."""

    def __init__(self, authority: authorities.Authority) -> None:
        self.authority = authority
        self.url = ""
        self.wants_form = False
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        """Authorization and form of each request for a token."""
        self.answer: Any = {"id_token": _token(exp=NOW + 3600), "refresh_token": "second"}
        self.endpoint: Any = ""

    async def describe(self, _: web.Request) -> web.Response:
        """Say where tokens are renewed."""
        return web.json_response({"token_endpoint": self.endpoint or f"{self.url}/token"})

    async def renew(self, request: web.Request) -> web.Response:
        """Give a token."""
        said = request.headers.get("Authorization", "")
        self.asked.append((said, dict(await request.post())))
        if self.wants_form and said:
            return web.json_response({"error": "invalid_client"}, status=401)
        return web.json_response(self.answer)

    def config(self, **changes: str) -> dict[str, str]:
        """Return what a kubeconfig says of it."""
        data = base64.b64encode(self.authority.certificate.read_bytes()).decode()
        known = {"idp-issuer-url": f"{self.url}/", "idp-certificate-authority-data": data, "refresh-token": "first"}
        return {**WHO, **known, **changes}


@contextlib.asynccontextmanager
async def _serving(folder: pathlib.Path) -> AsyncIterator[Provider]:
    provider = Provider(authorities.Authority(folder / "authority"))
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", provider.describe)
    app.router.add_post("/token", provider.renew)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=provider.authority.serving("IP:127.0.0.1")).start()
    provider.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()


def _tokens(config: Mapping[str, Any], now: float = NOW) -> openid.Tokens:
    return openid.Tokens(config, {}, now=lambda: now)


async def test_token_that_is_good_is_said_and_nobody_is_asked() -> None:
    token = _token(exp=NOW + 11)
    assert await _tokens({"id-token": token}).token() == token


@pytest.mark.parametrize("before", ["", _token(exp=NOW + 10), _token()], ids=["none", "too soon over", "without end"])
async def test_token_that_is_over_is_renewed_once_for_all_who_wait(tmp_path: pathlib.Path, before: str) -> None:
    async with _serving(tmp_path) as provider:
        tokens = _tokens(provider.config(**{"id-token": before}))
        found = await asyncio.gather(*(tokens.token() for _ in range(3)))

        assert found == [provider.answer["id_token"]] * 3
        ((said, form),) = provider.asked
        name, _, secret = base64.b64decode(said.removeprefix("Basic ")).decode().partition(":")
        assert (urllib.parse.unquote_plus(name), urllib.parse.unquote_plus(secret)) == ("a:b", "s t")
        assert form == {"grant_type": "refresh_token", "refresh_token": "first"}


async def test_next_renewal_has_the_refresh_token_that_came_with_the_last_one(tmp_path: pathlib.Path) -> None:
    async with _serving(tmp_path) as provider:
        provider.answer["id_token"] = _token(exp=NOW)  # over as soon as it is there
        tokens = _tokens(provider.config())
        await tokens.token()
        del provider.answer["refresh_token"]
        await tokens.token()
        await tokens.token()

        assert [form["refresh_token"] for _, form in provider.asked] == ["first", "second", "second"]


async def test_provider_that_wants_the_clients_name_in_the_form_gets_it(tmp_path: pathlib.Path) -> None:
    async with _serving(tmp_path) as provider:
        provider.wants_form = True
        await _tokens(provider.config()).token()

        assert provider.asked[1][0] == ""
        assert provider.asked[1][1].items() >= {("client_id", "a:b"), ("client_secret", "s t")}


async def test_provider_that_proves_nothing_gets_no_secret(tmp_path: pathlib.Path) -> None:
    """Of another authority, and without one: the system's do not know it."""
    async with _serving(tmp_path) as provider:
        other = authorities.Authority(tmp_path / "other").certificate
        for config in (
            provider.config(**{"idp-certificate-authority-data": base64.b64encode(other.read_bytes()).decode()}),
            provider.config(**{"idp-certificate-authority-data": ""}),
        ):
            with pytest.raises(errors.Unavailable, match="has a certificate that is not from"):
                await _tokens(config).token()

        assert provider.asked == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answer": {"refresh_token": "x"}}, "gave no id_token: was the scope openid asked for"),
        ({"answer": [1]}, "a list where an object is expected"),
        ({"endpoint": 7}, "gave no token_endpoint"),
    ],
    ids=["no token", "no object", "no endpoint"],
)
async def test_answer_without_what_is_needed_is_named(
    tmp_path: pathlib.Path, change: dict[str, Any], said: str
) -> None:
    async with _serving(tmp_path) as provider:
        vars(provider).update(change)
        with pytest.raises(errors.Unavailable, match=f"cannot be used: .*{said}.*log in again"):
            await _tokens(provider.config()).token()


async def test_refusal_names_where_it_came_from(tmp_path: pathlib.Path) -> None:
    async with _serving(tmp_path) as provider:
        with pytest.raises(errors.Unavailable, match=r"openid-configuration answered 404"):
            await _tokens(provider.config(**{"idp-issuer-url": f"{provider.url}/other"})).token()
        provider.endpoint = f"{provider.url}/nowhere"
        with pytest.raises(errors.Unavailable, match=r"nowhere answered 404 to the refresh-token"):
            await _tokens(provider.config()).token()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "no refresh-token"),
        ({"refresh-token": "r"}, "no client-id and no idp-issuer-url"),
        ({"id-token": "a.b"}, "has three parts"),
        ({"id-token": "a.%%.c"}, "no JWT"),
        ({"id-token": f"a.{base64.b64encode(b'[]').decode()}.c"}, "no JWT"),
        ({"refresh-token": "r", "client-id": "c", "idp-issuer-url": "https://x", "idp-certificate-authority-data": "%"},
         "not base64"),
    ],
    ids=["nothing", "nobody to ask", "two parts", "no text", "no claims", "authority"],
)  # fmt: skip
async def test_config_that_cannot_be_used_says_why(config: dict[str, str], said: str) -> None:
    with pytest.raises(errors.Unavailable, match=said):
        await _tokens(config).token()


async def test_authority_that_cannot_be_read_is_named(tmp_path: pathlib.Path) -> None:
    config = {
        **WHO,
        "refresh-token": "r",
        "idp-issuer-url": "https://x",
        "idp-certificate-authority": str(tmp_path / "a"),
    }
    with pytest.raises(errors.LoginFailed, match=r"certificate-authority .*/a cannot be read"):
        await _tokens(config).token()
