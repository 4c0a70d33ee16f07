"""Which proxy the environment names for a server. Pure, and by the rules of Go, as kubectl follows them.

Law: golang.org/x/net/http/httpproxy: the upper-case variable counts first, NO_PROXY has names, addresses, networks
(CIDR) and ports, and nothing on this machine itself is behind a proxy. Python's own reading knows no networks.
"""

import contextlib
import ipaddress
import urllib.parse
from collections.abc import Mapping

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_PORTS = {"http": 80, "https": 443}


def of(server: str, environment: Mapping[str, str]) -> str:
    """Return the URL of the proxy for a server's URL, "" for none."""
    parts = urllib.parse.urlsplit(server)
    named = _first(environment, f"{parts.scheme}_proxy")
    host = (parts.hostname or "").lower()
    if not named or not _is_behind(host, parts.port or _PORTS.get(parts.scheme, 0), _first(environment, "no_proxy")):
        return ""
    return named if "://" in named else f"http://{named}"


def _first(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name.upper()) or environment.get(name) or ""


def _is_behind(host: str, port: int, exceptions: str) -> bool:
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return False
    return not any(_matches(each.strip().lower(), host, address, port) for each in exceptions.split(","))


def _address(host: str) -> _Address | None:
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _matches(pattern: str, host: str, address: _Address | None, port: int) -> bool:
    if pattern == "*":
        return True
    if "/" in pattern:
        with contextlib.suppress(ValueError):
            return address is not None and address in ipaddress.ip_network(pattern, strict=False)
    name, only = _split(pattern)
    if only and only != str(port):
        return False
    wanted = _address(name)
    if wanted is not None:
        return wanted == address
    name = name.removeprefix("*")
    if not name or address is not None:
        return False
    return host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")


def _split(pattern: str) -> tuple[str, str]:
    """Return host and port of `host:port`, `[address]:port`, or what has no port."""
    if pattern.startswith("["):
        name, _, rest = pattern[1:].partition("]")
        return name, rest.removeprefix(":")
    if pattern.count(":") == 1:
        name, _, port = pattern.partition(":")
        return name, port
    return pattern, ""
