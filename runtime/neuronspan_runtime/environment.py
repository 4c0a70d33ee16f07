"""The runtime's settings: one frozen value of everything that is read when the runtime starts.

Read at the start and never again: a later change has no effect until the runtime is closed and started anew,
as on the real one.

Law: the only reader of os.environ; all problems are reported at once.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from neuronspan import errors as domain_errors
from neuronspan import names, spans
from neuronspan_runtime import errors

NUMERICS_ENV = "NEURONSPAN_NUMERICS"
EXACT_NUMERICS, DEVICE_NUMERICS = NUMERICS = ("exact", "device")
"""What compiled programs compute: what the CPU does, to the bit, or with the casts of AWS's compilers."""
TIME_ENV = "NEURONSPAN_TIME"
CPU_TIME, DEVICE_TIME = TIMES = ("cpu", "device")
"""What an execution lasts: what the CPU needs, or what a NeuronCore would."""
TIME_SCALE_ENV = "NEURONSPAN_TIME_SCALE"
LIBRARY_ENV = "NEURONSPAN_RUNTIME_LIBRARY"
CACHE_ENV = "NEURONSPAN_RUNTIME_CACHE"
PROCESS_TAG_ENV = "NEURON_PROCESS_TAG"
COMPILER_ENV = "CXX"
LOCAL_RANK_ENV = "LOCAL_RANK"
LOCAL_RANKS_ENV = "LOCAL_WORLD_SIZE"
"""torchrun's variables: which of how many processes this one is that were started together on this machine."""
PLATFORM_ENV = "NEURON_PLATFORM_TARGET_OVERRIDE"
DRIVER_SKIP_QUIRK_ENV = "NEURONSPAN_DRIVER_SKIP_QUIRK"
LOGICAL_CONFIG_ENVS = ("NEURON_LOGICAL_NC_CONFIG", "NEURON_RT_VIRTUAL_CORE_SIZE")
"""AWS's two names for the physical cores that a process joins into one NeuronCore; the first one that is set counts."""
LOG_LEVEL_ENVS = ("NEURON_RT_LOG_LEVEL_NRT", "NEURON_RT_LOG_LEVEL")
"""The level of the component that writes here, then the level of all."""
OOM_LOG_ENV = "NEURON_RT_ENABLE_DEVICE_MEMORY_OOM_LOG"
LOG_LEVELS = ("QUIET", "ERROR", "WARN", "WARNING", "INFO", "DEBUG", "TRACE")
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Environment:
    """What the process environment says. AWS's own variables are kept as text; an empty one counts as unset."""

    visible_cores: str = ""
    """NEURON_RT_VISIBLE_CORES: these very cores."""
    num_cores: str = ""
    """NEURON_RT_NUM_CORES: that many cores."""
    group_sizes: str = ""
    """NEURONCORE_GROUP_SIZES: sizes of consecutive NeuronCore Groups."""
    grant: spans.CoreSpan | None = None
    """NEURONSPAN_GRANT, node numbering: the cores this container may use; None outside a cluster."""
    numbering: str = names.NODE_NUMBERING
    """NEURONSPAN_CORE_NUMBERING: NEURON_RT_VISIBLE_CORES counts from the node's or the grant's first core."""
    instance_type: str = ""
    """NEURONSPAN_INSTANCE_TYPE: the machine to simulate outside a cluster."""
    logical_core_size: int | None = None
    """NEURONSPAN_LOGICAL_CORE_SIZE: physical cores per NeuronCore of the machine; None is its type's own default."""
    logical_config: int | None = None
    """NEURON_LOGICAL_NC_CONFIG, else NEURON_RT_VIRTUAL_CORE_SIZE: what this process wants of them, 1 or 2.

    Without an effect on machines that cannot join cores, as on the real ones."""
    log_level: str = "ERROR"
    """NEURON_RT_LOG_LEVEL_NRT, else NEURON_RT_LOG_LEVEL: the least severe lines that are logged."""
    oom_log: bool = True
    """NEURON_RT_ENABLE_DEVICE_MEMORY_OOM_LOG: log what takes the HBM when a request does not fit; 0 is off."""
    local_rank: int = 0
    """LOCAL_RANK: which of the processes it is that a launcher such as torchrun started together on this machine."""
    local_ranks: int = 1
    """LOCAL_WORLD_SIZE: how many these are; 1 without a launcher."""
    state_directory: pathlib.Path | None = None
    """NEURONSPAN_STATE_DIR: where processes outside a cluster find each other's core locks."""
    process_tag: str = ""
    """NEURON_PROCESS_TAG: what the tools call this process, instead of its PID."""
    time_scale: float | None = None
    """NEURONSPAN_TIME=device: NEURONSPAN_TIME_SCALE, or 1: how many times what a NeuronCore needs executions and copies
    last; None = they last what the CPU needs."""
    driver_skip_quirk: bool = False
    """NEURONSPAN_DRIVER_SKIP_QUIRK=1: search like driver 2.24.7, which skips a core after a run that is too short."""


def read(variables: Mapping[str, str] | None = None) -> Environment:
    """Read the process environment, or the given variables. Raises InvalidSettings with every problem found."""
    reader = _Reader(os.environ if variables is None else variables)  # noqa: TID251 - this is the one place
    environment = Environment(
        visible_cores=reader.text(names.VISIBLE_CORES_ENV),
        num_cores=reader.text(names.NUM_CORES_ENV),
        group_sizes=reader.text(names.GROUP_SIZES_ENV),
        grant=reader.parsed(names.GRANT_ENV, spans.CoreSpan.parse, "a span of NeuronCores such as 4-7"),
        numbering=reader.parsed(names.CORE_NUMBERING_ENV, _one_of(*names.CORE_NUMBERINGS), "node or container")
        or names.NODE_NUMBERING,
        instance_type=reader.text(names.INSTANCE_TYPE_ENV),
        logical_core_size=reader.parsed(names.LOGICAL_CORE_SIZE_ENV, int, "an integer"),
        logical_config=reader.first(LOGICAL_CONFIG_ENVS, _number_of(1, 2), "1 or 2"),
        log_level=reader.first(LOG_LEVEL_ENVS, _level, f"one of {', '.join(LOG_LEVELS)}") or "ERROR",
        oom_log=reader.text(OOM_LOG_ENV) != "0",
        local_rank=reader.whole(LOCAL_RANK_ENV) or 0,
        local_ranks=reader.whole(LOCAL_RANKS_ENV) or 1,
        state_directory=reader.parsed(names.STATE_DIRECTORY_ENV, pathlib.Path, "a directory"),
        process_tag=reader.text(PROCESS_TAG_ENV),
        time_scale=_time_scale(reader),
        driver_skip_quirk=reader.parsed(DRIVER_SKIP_QUIRK_ENV, _one_of("0", "1"), "0 or 1") == "1",
    )
    if reader.problems:
        raise errors.InvalidSettings(reader.problems)
    return environment


def library_path(variables: Mapping[str, str] | None = None) -> pathlib.Path | None:
    """Return NEURONSPAN_RUNTIME_LIBRARY: the C++ library to use instead of looking for one."""
    text = _Reader(os.environ if variables is None else variables).text(LIBRARY_ENV)  # noqa: TID251 - as above
    return pathlib.Path(text) if text else None


def cache_directory(variables: Mapping[str, str] | None = None) -> pathlib.Path:
    """Return where C++ libraries are kept once they are built: NEURONSPAN_RUNTIME_CACHE, or under ~/.cache."""
    text = _Reader(os.environ if variables is None else variables).text(CACHE_ENV)  # noqa: TID251 - as above
    return pathlib.Path(text or "~/.cache/neuronspan/runtime").expanduser()


def compiler(variables: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return CXX: the C++ compiler and its first arguments (`ccache g++`), or nothing."""
    text = _Reader(os.environ if variables is None else variables).text(COMPILER_ENV)  # noqa: TID251 - as above
    return tuple(text.split())


def platform_override(variables: Mapping[str, str] | None = None) -> str:
    """Return NEURON_PLATFORM_TARGET_OVERRIDE: the family of instances to compile for, or an empty text."""
    return _Reader(os.environ if variables is None else variables).text(PLATFORM_ENV)  # noqa: TID251 - as above


def numerics(variables: Mapping[str, str] | None = None) -> str:
    """Return NEURONSPAN_NUMERICS, one of NUMERICS, read at each compilation. Raises InvalidSettings for others."""
    reader = _Reader(os.environ if variables is None else variables)  # noqa: TID251 - as above
    chosen = reader.parsed(NUMERICS_ENV, _one_of(*NUMERICS), " or ".join(NUMERICS))
    if reader.problems:
        raise errors.InvalidSettings(reader.problems)
    return chosen or EXACT_NUMERICS


def of_child(**changes: str) -> dict[str, str]:
    """Return the environment for a program that the runtime starts: this process's own, with changes."""
    return {**os.environ, **changes}  # noqa: TID251 - as above


class _Reader:
    """Looks variables up and collects what is wrong with them."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        return self._variables.get(name, "").strip()

    def first(self, names_of_it: Iterable[str], parse: Callable[[str], T], expected: str) -> T | None:
        """Read the first of several names of one setting that is set."""
        name = next((name for name in names_of_it if self.text(name)), None)
        return None if name is None else self.parsed(name, parse, expected)

    def parsed(self, name: str, parse: Callable[[str], T], expected: str) -> T | None:
        text = self.text(name)
        if not text:
            return None
        try:
            return parse(text)
        except (ValueError, domain_errors.NeuronspanError):
            self.problems.append(f"{name}={text!r} is not {expected}")
            return None

    def whole(self, name: str) -> int | None:
        """Read a variable that is not ours: many programs set LOCAL_RANK=-1 where there is no launcher."""
        text = self.text(name)
        return int(text) if text.isdecimal() else None


def _time_scale(reader: _Reader) -> float | None:
    scale = reader.parsed(TIME_SCALE_ENV, _factor, "a number above 0") or 1.0
    chosen = reader.parsed(TIME_ENV, _one_of(*TIMES), " or ".join(TIMES))
    return scale if chosen == DEVICE_TIME else None


def _factor(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(text)
    return number


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(text)
        return text

    return parse


def _number_of(*choices: int) -> Callable[[str], int]:
    return lambda text: int(_one_of(*map(str, choices))(text))


def _level(text: str) -> str:
    return _one_of(*LOG_LEVELS)(text.upper())
