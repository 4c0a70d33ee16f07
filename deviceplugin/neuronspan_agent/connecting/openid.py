"""OpenID Connect tokens of a kubeconfig's auth-provider, renewed when they end.

Law: kubectl's rules (k8s.io/client-go/plugin/pkg/client/auth/oidc/oidc.go), but the kubeconfig stays as it is: a new
token is this process's alone. Raises Unavailable: the next call may succeed.
"""

import asyncio
import base64
import json
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from neuronspan_agent import errors
from neuronspan_agent.connecting import entries, failures, proxies, targets, trust

_EARLY_SECONDS = 10.0
"""How long before its end a token is over: clocks differ (expiryDelta in oidc.go)."""
_SECONDS = 30.0
"""For each answer of the provider."""
_JWT_PARTS = 3
_GOOD = 200


class Tokens:
    """The tokens of one user; ``config`` is what stands under auth-provider."""

    def __init__(
        self, config: Mapping[str, Any], environment: Mapping[str, str], now: Callable[[], float] = time.time
    ) -> None:
        self._config = {key: str(value) for key, value in config.items()}
        self._environment = environment
        self._now = now
        self._token = self._config.get("id-token", "")
        self._renewal = self._config.get("refresh-token", "")
        self._renewing = asyncio.Lock()
        """A provider may take each refresh token once, so one call at a time asks."""

    async def token(self) -> str:
        """Return the token, a new one when it is over; raises Unavailable, and LoginFailed for a wrong authority."""
        async with self._renewing:
            if not self._token or self._now() + _EARLY_SECONDS >= end(self._token):
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        wanted = {"idp-issuer-url", "client-id"} if self._renewal else {"refresh-token"}
        if missing := sorted(each for each in wanted if not self._config.get(each)):
            raise _unusable(f"it has no id-token that is still good, and no {' and no '.join(missing)} to get one with")
        provider = self._provider()
        try:
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=trust.context(provider)),
                proxy=provider.proxy or None,
                timeout=aiohttp.ClientTimeout(total=_SECONDS),
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session:
                answer = await self._asked(session, await _endpoint(session, provider.cluster.server))
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            raise _unusable(failures.sentence(error, provider)) from error
        except ValueError as error:
            raise _unusable(f"the answer of {provider.cluster.server} is not what is expected: {error}") from error
        self._token = _text(answer, "id_token", "was the scope openid asked for when you logged in?")
        self._renewal = str(answer.get("refresh_token") or self._renewal)

    async def _asked(self, session: aiohttp.ClientSession, endpoint: str) -> Mapping[str, Any]:
        """Send the refresh token, as golang.org/x/oauth2 does: who we are in a header, then in the form."""
        who, secret = self._config["client-id"], self._config.get("client-secret", "")
        form = {"grant_type": "refresh_token", "refresh_token": self._renewal}
        pair = f"{urllib.parse.quote_plus(who)}:{urllib.parse.quote_plus(secret)}".encode()
        header = f"Basic {base64.b64encode(pair).decode()}"
        named = form | {"client_id": who} | ({"client_secret": secret} if secret else {})
        status = 0
        for sent, headers in ((form, {"Authorization": header}), (named, {})):
            async with session.post(endpoint, data=sent, headers=headers) as response:
                status = response.status
                if status == _GOOD:
                    return _read(await response.read())
        raise _unusable(f"{endpoint} answered {status} to the refresh-token")

    def _provider(self) -> targets.Target:
        """Return the provider as a server, so that it is believed and blamed as API servers are."""
        try:
            data = base64.b64decode(self._config.get("idp-certificate-authority-data", ""), validate=True)
        except ValueError as error:
            raise _unusable(f"its idp-certificate-authority-data is not base64: {error}") from error
        issuer = self._config["idp-issuer-url"].rstrip("/")
        authority = self._config.get("idp-certificate-authority", "")
        return targets.Target(
            cluster=entries.Cluster(server=issuer, authority=authority, authority_data=data),
            user=entries.User(),
            proxy=proxies.of(issuer, self._environment),
            source="the kubeconfig's auth-provider",
        )


def end(token: str) -> float:
    """Return when a token ends, in seconds since the epoch, 0 when it does not say; raises Unavailable. Pure."""
    parts = token.split(".")
    if len(parts) != _JWT_PARTS:
        raise _unusable("its id-token is no JWT, which has three parts")
    try:
        return float(_read(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))).get("exp") or 0)
    except (ValueError, TypeError) as error:
        raise _unusable(f"its id-token is no JWT: {error}") from error


async def _endpoint(session: aiohttp.ClientSession, issuer: str) -> str:
    """Ask where tokens are renewed: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig."""
    url = f"{issuer}/.well-known/openid-configuration"
    async with session.get(url) as response:
        if response.status != _GOOD:
            raise _unusable(f"{url} answered {response.status}")
        return _text(_read(await response.read()), "token_endpoint", f"is {issuer} an OpenID provider?")


def _read(text: bytes) -> Mapping[str, Any]:
    """Return an object of JSON; raises ValueError."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"a {type(found).__name__} where an object is expected")  # noqa: TRY004  as for all else
    return found


def _text(found: Mapping[str, Any], name: str, question: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise _unusable(f"the provider gave no {name}: {question}")
    return value


def _unusable(what: str) -> errors.Unavailable:
    way_out = "log in again with your provider's tool, or use an exec plugin"
    return errors.Unavailable(f"the OpenID Connect token of the kubeconfig cannot be used: {what}; {way_out}")
