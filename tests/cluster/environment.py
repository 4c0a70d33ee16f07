"""The cluster tool's only reader of the process environment."""

import os
from collections.abc import Mapping
from pathlib import Path

PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "ftp_proxy", "all_proxy")
CERTIFICATE_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def variables(**changes: str) -> dict[str, str]:
    """The environment for a child process: ours with `changes`."""
    return {**os.environ, **changes}  # noqa: TID251 - this module is the door


def value(name: str, default: str = "") -> str:
    """One variable, `default` when unset."""
    return os.environ.get(name, default)  # noqa: TID251 - this module is the door


def cache_home() -> Path:
    """Where everything made from source is kept: NEURONSPAN_CACHE, else the user's cache directory."""
    chosen = value("NEURONSPAN_CACHE")
    if chosen:
        return Path(chosen).absolute()
    return Path(value("XDG_CACHE_HOME") or Path.home() / ".cache") / "neuronspan"


def is_root() -> bool:
    """Whether we may install packages, start the engine and write device nodes."""
    return os.geteuid() == 0


def proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The proxy variables in either spelling, for builds that cannot inherit the environment."""
    spelled = {name for variable in PROXY_VARIABLES for name in (variable, variable.upper())}
    return {name: environment[name] for name in sorted(spelled & set(environment)) if environment[name]}


def certificate_bundle(environment: Mapping[str, str]) -> Path | None:
    """The CA bundle this machine's programs were told to trust, None when there is no such order."""
    for name in CERTIFICATE_VARIABLES:
        path = Path(environment.get(name, ""))
        if environment.get(name) and path.is_file():
            return path
    return None
