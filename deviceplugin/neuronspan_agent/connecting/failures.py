"""What is said of a call that got no answer: one sentence with the way out. Pure: errors in, words out.

Law: a certificate that is refused says which of its properties is wrong, by OpenSSL's code, since the texts change.
"""

import ssl
from collections.abc import Mapping

import aiohttp

from neuronspan_agent.connecting import targets

# openssl/x509_vfy.h
_NOT_YET_VALID, _EXPIRED, _HOSTNAME_MISMATCH, _IP_MISMATCH = 9, 10, 62, 64
_OF_ANOTHER_AUTHORITY = frozenset({2, 7, 18, 19, 20, 21})
"""X509_V_ERR_* for no issuer, a bad signature (an authority of the same name), a self-signed certificate alone or at
the end of the chain, no issuer here, and a chain of one whose issuer is unknown."""
_WORDS: Mapping[int, str] = {
    _NOT_YET_VALID: "is not valid yet: is the clock of this machine right?",
    _EXPIRED: "has expired: renew it, or set the clock of this machine right",
}


def sentence(error: BaseException, target: targets.Target) -> str:
    """Return why the server of a target gave no answer, and what to do."""
    said = _innermost(error)
    if isinstance(error, aiohttp.ClientHttpProxyError | aiohttp.ClientProxyConnectionError):
        return f"the proxy {_shown(target.proxy)} {_of_proxy(error, said)}"
    return f"{target.cluster.server} {_of_server(error, said, target)}"


def _of_proxy(error: BaseException, said: BaseException) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"answered {error.status} {error.message}: {_proxy_way_out(error.status)}"
    return f"cannot be reached ({_reason(said)}): correct proxy-url, $HTTPS_PROXY or $NO_PROXY"


def _of_server(error: BaseException, said: BaseException, target: targets.Target) -> str:
    if isinstance(said, ssl.SSLCertVerificationError):
        return f"has a certificate that {_of_certificate(said, target)}"
    if isinstance(said, ssl.SSLError):
        return f"does not speak TLS as we do ({said.reason or said}): is it https, does it want a client certificate?"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "has no address: is its name right, and does the DNS of this machine know it?"
    if isinstance(said, ConnectionRefusedError):
        return "refused the connection; is the API server reachable there, and are address and port right?"
    if isinstance(error, TimeoutError):
        return "gave no answer in time; is the API server overloaded, or a firewall in the way?"
    return f"gave no answer ({_reason(said)}); is the API server reachable?"


def _innermost(error: BaseException) -> BaseException:
    """Return what the connection failed of: aiohttp wraps what the system or TLS said."""
    found = error
    while (inner := getattr(found, "os_error", None) or getattr(found, "certificate_error", None)) is not None:
        found = inner
    return found


def _of_certificate(error: ssl.SSLCertVerificationError, target: targets.Target) -> str:
    if error.verify_code in {_HOSTNAME_MISMATCH, _IP_MISMATCH}:
        return f"is not for {target.host}: use an address that it names, or say its name with tls-server-name"
    if error.verify_code in _OF_ANOTHER_AUTHORITY:
        given = "the certificate-authority of " if target.cluster.authority or target.cluster.authority_data else ""
        trusted = f"{given}{target.source}" if given else "an authority that this system trusts"
        return f"is not from {trusted}: is this the right server, and is that its authority? ({error.verify_message})"
    return _WORDS.get(error.verify_code, f"cannot be trusted: {error.verify_message} (code {error.verify_code})")


def _proxy_way_out(status: int) -> str:
    if status == 407:  # noqa: PLR2004  Proxy Authentication Required
        return "write user and password into its URL"
    return "may it connect to the API server, and should it? Correct proxy-url, $HTTPS_PROXY or $NO_PROXY"


def _shown(proxy: str) -> str:
    """Return a proxy's URL without its password."""
    scheme, found, rest = proxy.rpartition("://")
    return f"{scheme}{found}{rest.rpartition('@')[2]}"


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
