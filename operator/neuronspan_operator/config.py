"""The operator's settings: one flag and one environment variable each, every problem reported at once.

Law: this is the only reader of flags and environment. A flag beats its variable; the variable of ``--lease-seconds`` is
NEURONSPAN_LEASE_SECONDS. Files and cluster objects are not settings.
"""

import argparse
import dataclasses
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neuronspan import names
from neuronspan_operator import errors

_PREFIX = "NEURONSPAN_"
_MOST_PORT = 65535
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclasses.dataclass(frozen=True, slots=True)
class _Kind:
    """How the text of a setting is read; raises ValueError."""

    read: Callable[[str], Any]
    expected: str


def _number(read: Callable[[str], float], least: float, most: float, unit: str) -> _Kind:
    def parse(text: str) -> float:
        value = read(text)
        if not least <= value <= most:
            raise ValueError
        return value

    return _Kind(parse, f"a number of {unit} from {least:g} to {most:g}")


def _choice(*values: str) -> _Kind:
    return _Kind(lambda text: values[values.index(text)], " or ".join(values))


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError
    return text


def _switch(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError
    return _BOOLEANS[text.lower()]


_TEXT = _Kind(str, "a text")
_NAME = _Kind(_not_empty, "a name")
_SECONDS = _number(float, 0.1, 86400, "seconds")
_SWITCH = _Kind(_switch, "true or false")


def _setting(kind: _Kind, default: Any, meaning: str) -> Any:
    return dataclasses.field(default=default, metadata={"kind": kind, "meaning": meaning})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set; the texts are what --help shows."""

    kubeconfig: str = _setting(_TEXT, "", "kubeconfig file; empty: $KUBECONFIG, else the pod's service account")
    namespace: str = _setting(_NAME, "default", "namespace of the leader election Lease: the operator's own")
    identity: str = _setting(_TEXT, "", "name of this process in Lease and Events; empty: the host's, in a pod its own")
    leader_election: bool = _setting(_SWITCH, default=True, meaning="stand by while another operator holds the Lease")
    lease_name: str = _setting(_NAME, "neuronspan-operator", "name of the Lease")
    lease_seconds: float = _setting(_SECONDS, 15.0, "others wait this long after the leader's last sign of life")
    renew_seconds: float = _setting(_SECONDS, 10.0, "a leader that could not renew the Lease for so long gives up")
    retry_seconds: float = _setting(_SECONDS, 2.0, "time between two tries to get or renew the Lease")
    port: int = _setting(
        _number(int, 0, _MOST_PORT, "port"), 8080, "port of /livez, /readyz and /metrics; 0: any free one"
    )
    core_numbering: str = _setting(
        _choice(*names.CORE_NUMBERINGS), names.NODE_NUMBERING, "core numbers that containers of new NeuronNodes see"
    )
    debounce_seconds: float = _setting(
        _number(float, 0, 10, "seconds"), 0.02, "changes are collected this long before the next plan"
    )
    writers: int = _setting(_number(int, 1, 100, "calls"), 32, "parallel writes to the API server")
    call_seconds: float = _setting(_SECONDS, 10.0, "deadline of one call to the API server")
    relist_seconds: float = _setting(_SECONDS, 600.0, "caches list everything again this often, beside their watch")
    log_level: str = _setting(_choice("debug", "info", "warning", "error"), "info", "least serious messages to log")
    log_format: str = _setting(_choice("text", "json"), "text", "one line of text, or one JSON object, per message")


def from_process(arguments: Sequence[str]) -> Settings:
    """Read these flags and this process's environment; raises InvalidSettings."""
    return load(arguments, os.environ)  # noqa: TID251  this is the one place


def load(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read flags and environment; raises InvalidSettings, with all problems in its message."""
    flags, unknown = _parser().parse_known_args(list(arguments))
    problems = [f"{each}: there is no such flag, see --help" for each in unknown]
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        source, text = _text_of(field.name, vars(flags)[field.name], environment)
        if text is None:
            continue
        kind = field.metadata["kind"]
        try:
            values[field.name] = kind.read(text)
        except ValueError:
            problems.append(f"{source} is {text!r}: give {kind.expected}")
    settings = _completed(Settings(**values), environment)
    problems += _contradictions(settings)
    if problems:
        raise errors.InvalidSettings("\n".join(problems))
    return settings


def describe(settings: Settings) -> str:
    """Give the effective settings, one per line, for the log."""
    pairs = [(field.name, getattr(settings, field.name)) for field in dataclasses.fields(settings)]
    return "\n".join(f"{_flag(name)}={value}" for name, value in pairs)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neuronspan-operator",
        description="Gives pods contiguous, exclusive NeuronCores.",
        epilog=f"Each flag has an environment variable: --lease-seconds is {_PREFIX}LEASE_SECONDS. The flag wins.",
        allow_abbrev=False,
    )
    for field in dataclasses.fields(Settings):
        default = field.default if field.default != "" else "empty"
        meaning = f"{field.metadata['meaning']} ({field.metadata['kind'].expected}; default: {default})"
        parser.add_argument(_flag(field.name), dest=field.name, metavar="VALUE", help=meaning.replace("%", "%%"))
    return parser


def _text_of(name: str, flag: str | None, environment: Mapping[str, str]) -> tuple[str, str | None]:
    if flag is not None:
        return _flag(name), flag
    variable = _PREFIX + name.upper()
    return variable, environment.get(variable)


def _completed(settings: Settings, environment: Mapping[str, str]) -> Settings:
    """Fill in what depends on where the process runs."""
    in_cluster = "KUBERNETES_SERVICE_HOST" in environment
    kubeconfig = settings.kubeconfig or ("" if in_cluster else environment.get("KUBECONFIG", ""))
    return dataclasses.replace(settings, kubeconfig=kubeconfig, identity=settings.identity or platform.node())


def _contradictions(settings: Settings) -> list[str]:
    if settings.retry_seconds < settings.renew_seconds < settings.lease_seconds:
        return []
    problem = (
        f"--retry-seconds {settings.retry_seconds:g}, --renew-seconds {settings.renew_seconds:g} and --lease-seconds "
        f"{settings.lease_seconds:g} must grow in this order, because a leader has to give up before others take over: "
        "change the one that is out of order"
    )
    return [problem]
