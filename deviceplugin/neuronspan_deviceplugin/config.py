"""The agent's settings: each is a flag with a twin in the environment.

Law: the only reader of os.environ; a flag beats its variable, a variable beats the default; all problems at once.
"""

import argparse
import dataclasses
import os
import pathlib
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from neuronspan import names
from neuronspan_deviceplugin import errors, kubelet_checkpoint, logs

ENV_PREFIX = "NEURONSPAN_"
_MOST_START_WAIT = 25.0  # kubelet gives PreStartContainer 30 s


@dataclasses.dataclass(frozen=True, slots=True)
class _Of:
    """How a setting is read from text (ValueError: why not), and what it means."""

    read: Callable[[str], Any]
    text: str


def _word(text: str) -> str:
    if not text:
        raise ValueError("give a value")
    return text


def _path(text: str) -> pathlib.Path:
    path = pathlib.Path(text)
    if not path.is_absolute():
        raise ValueError("give an absolute path")
    return path


def _switch(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError("give true or false")
    return text.lower() == "true"


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"give one of {', '.join(choices)}")
        return text

    return read


def _seconds(most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if not 0 < value <= most:
            raise ValueError(f"give seconds above 0 and up to {most:g}")
        return value

    return read


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:  # noqa: PLR2004 - the range of TCP ports
        raise ValueError("give a port from 1 to 65535, or 0 for any free one")
    return value


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """The effective settings; raises InvalidSettings through ``load`` only."""

    node_name: Annotated[str, _Of(_word, "name of the node, and of its NeuronNode")]
    kubelet_directory: Annotated[pathlib.Path, _Of(_path, "kubelet's device plugin directory")] = pathlib.Path(
        "/var/lib/kubelet/device-plugins"
    )
    pod_resources_socket: Annotated[pathlib.Path, _Of(_path, "kubelet's PodResources socket")] = pathlib.Path(
        "/var/lib/kubelet/pod-resources/kubelet.sock"
    )
    cdi: Annotated[bool, _Of(_switch, "false: the container runtime does not know CDI")] = True
    cdi_directory: Annotated[pathlib.Path, _Of(_path, "where the container runtime looks for CDI documents")] = (
        pathlib.Path("/var/run/cdi")
    )
    run_directory: Annotated[
        pathlib.Path,
        _Of(_path, "the node's directory of hardware description and lock files; the same path on the host"),
    ] = pathlib.Path(names.NODE_DIRECTORY)
    checkpoint: Annotated[
        pathlib.Path,
        _Of(_path, "the plugin's record; best on memory, because after a reboot nobody holds anything"),
    ] = pathlib.Path(names.NODE_DIRECTORY) / "deviceplugin" / "checkpoint.json"
    cgroup_root: Annotated[pathlib.Path, _Of(_path, "the host's cgroup file system")] = pathlib.Path("/sys/fs/cgroup")
    core_numbering: Annotated[
        str, _Of(_one_of(*names.CORE_NUMBERINGS), "numbering that containers see when the NeuronNode does not say")
    ] = names.NODE_NUMBERING
    probe_port: Annotated[int, _Of(_port, "port of /livez, /readyz and /metrics")] = 8080
    poll_seconds: Annotated[
        float, _Of(_seconds(60.0), "how often sockets, kubelet's record and control groups are looked at")
    ] = 1.0
    start_wait_seconds: Annotated[
        float,
        _Of(
            _seconds(_MOST_START_WAIT),
            "how long a container start waits for the ledger or a former holder before kubelet has to ask again",
        ),
    ] = 8.0
    kubeconfig: Annotated[str, _Of(str, "kubeconfig file; empty: the service account of the pod")] = ""
    log_level: Annotated[str, _Of(_one_of(*logs.LEVELS), "least important level that is logged")] = "info"
    log_format: Annotated[str, _Of(_one_of(*logs.FORMATS), "form of a log line")] = logs.JSON_LINES

    @property
    def kubelet_socket(self) -> pathlib.Path:
        """Where kubelet takes registrations."""
        return self.kubelet_directory / "kubelet.sock"

    def effective(self) -> dict[str, str]:
        """Give every setting as text, to be printed at the start."""
        return {field.name: str(getattr(self, field.name)) for field in dataclasses.fields(self)}


def load(arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read flags and environment; raises InvalidSettings with every problem found."""
    variables = os.environ if environment is None else environment  # noqa: TID251 - this is the one place
    given = vars(_parser().parse_args(arguments))
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, (of, default) in _table().items():
        source, text = _source(name, given, variables)
        if text is None:
            if default is dataclasses.MISSING:
                problems.append(f"{flag(name)} (or {variable(name)}) is not set: {of.text}")
            continue
        try:
            values[name] = of.read(text)
        except ValueError as error:
            problems.append(f"{source} is {text!r}: {error}")
    problems += _contradictions(values)
    if problems:
        raise errors.InvalidSettings(problems)
    return Settings(**values)


def flag(name: str) -> str:
    """Give the command line flag of a setting."""
    return f"--{name.replace('_', '-')}"


def variable(name: str) -> str:
    """Give the environment variable of a setting."""
    return f"{ENV_PREFIX}{name.upper()}"


def _source(name: str, given: Mapping[str, str | None], variables: Mapping[str, str]) -> tuple[str, str | None]:
    text = given[name]
    if text is not None:
        return flag(name), text
    return variable(name), variables.get(variable(name))


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    checkpoint = values.get("checkpoint")
    if checkpoint and checkpoint.name == kubelet_checkpoint.FILE:
        return [f"{flag('checkpoint')} is {checkpoint}: that is the name of kubelet's own record, choose another"]
    return []


def _table() -> dict[str, tuple[_Of, Any]]:
    """Give each setting with what it is and its default."""
    hints = typing.get_type_hints(Settings, include_extras=True)
    return {field.name: (hints[field.name].__metadata__[0], field.default) for field in dataclasses.fields(Settings)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neuronspan-deviceplugin", description="The neuronspan node agent.", allow_abbrev=False
    )
    for name, (of, default) in _table().items():
        fallback = "required" if default is dataclasses.MISSING else f"default: {default}"
        parser.add_argument(flag(name), metavar="VALUE", help=f"{of.text} ({fallback}; {variable(name)})")
    return parser
