"""Which NeuronCores a process asks for, and which of the free ones it gets.

NEURON_RT_VISIBLE_CORES (these) beats NEURON_RT_NUM_CORES (that many) beats the sum of NEURONCORE_GROUP_SIZES beats
all that the process may see. Where nobody chose for it, one of several processes of a launcher gets one core of these:
AWS's process group sets NEURON_RT_VISIBLE_CORES to the local rank.

Law: pure; values in, a span or a refusal out. What is chosen is always one run.
"""

import dataclasses
import itertools
from collections.abc import Collection, Iterator

from neuronspan import errors as domain_errors
from neuronspan import instance_types, names, spans, visible_cores
from neuronspan_runtime import environment, errors, nrt_status


@dataclasses.dataclass(frozen=True)
class Wish:
    """What a process asks for, node numbering."""

    scope: spans.CoreSpan
    """The cores it may see: its grant, or the machine."""
    exact: spans.CoreSpan | None
    """These very cores, or None: then any run of `count` inside the scope."""
    count: int
    group_sizes: tuple[int, ...] = ()
    """Sizes of the NeuronCore Groups, from the first owned core on; empty without groups."""
    skip_quirk: bool = False

    @property
    def searched(self) -> spans.CoreSpan:
        """The cores among which the choice is made."""
        return self.exact or self.scope


@dataclasses.dataclass(frozen=True)
class Busy:
    """No choice is possible among the free cores."""

    longest: int
    """Longest free run that the search met."""


def wish(settings: environment.Environment, hardware: instance_types.Hardware, scope: spans.CoreSpan) -> Wish:
    """Turn the settings into a wish inside the scope: the process's grant, or all cores.

    Raises StartRefused when it cannot be fulfilled on any day.
    """
    try:
        exact = _exact(settings, scope, hardware)
        number = 0 if exact else _number(settings, scope, hardware)
        groups = visible_cores.parse_group_sizes(settings.group_sizes) if settings.group_sizes else ()
        if _is_one_of_several(settings, exact):
            exact = _of_rank(settings, exact or scope)
    except domain_errors.InvalidCoreSet as error:
        raise errors.StartRefused(error.text, str(error), status=nrt_status.NrtStatus(error.status)) from error
    count = exact.count if exact else number or sum(groups) or scope.count
    if sum(groups) > count:
        raise errors.StartRefused(
            f"{names.GROUP_SIZES_ENV}={settings.group_sizes} needs {sum(groups)} NeuronCores, but the process asks for "
            f"{count}: leave {names.VISIBLE_CORES_ENV} and {names.NUM_CORES_ENV} unset, or ask for {sum(groups)}",
            status=nrt_status.NrtStatus.INVALID,
        )
    return Wish(scope, exact, count, groups, settings.driver_skip_quirk)


def choose(asked: Wish, free: Collection[int]) -> spans.CoreSpan | Busy:
    """Choose the lowest run of the wished size among the free cores."""
    longest = 0
    for run in _runs(asked, free):
        if run.count >= asked.count:
            return spans.CoreSpan(run.first, asked.count)
        longest = max(longest, run.count)
    return Busy(longest)


def advice(settings: environment.Environment) -> tuple[str, ...]:
    """Return what the log warns of: a variable that another one overrules."""
    if not (settings.visible_cores and settings.num_cores):
        return ()
    visible, number = names.VISIBLE_CORES_ENV, names.NUM_CORES_ENV
    return (f"{visible}={settings.visible_cores} and {number}={settings.num_cores} are both set: {number} is ignored",)


def refusal(asked: Wish, busy: Busy, hardware: instance_types.Hardware) -> str:
    """Say that the cores are taken, in the words of the real runtime on this machine."""
    requested = asked.exact or asked.count
    size = hardware.logical_core_size if hardware.can_join_cores else None
    return visible_cores.not_available_text(requested, busy.longest, logical_core_size=size)


def _exact(
    settings: environment.Environment, scope: spans.CoreSpan, hardware: instance_types.Hardware
) -> spans.CoreSpan | None:
    text, per_device = settings.visible_cores, hardware.cores_per_device
    if not text:
        return None
    if settings.numbering == names.CONTAINER_NUMBERING and settings.grant is not None:
        return visible_cores.parse_visible_cores(text, scope.count, cores_per_device=per_device).shifted(scope.first)
    asked = visible_cores.parse_visible_cores(text, hardware.cores, cores_per_device=per_device)
    if not scope.contains(asked):
        sentence = (
            f"{names.VISIBLE_CORES_ENV}={text} asks for NeuronCores outside {scope}, the grant of this container "
            f"({names.GRANT_ENV}): leave it unset, or name cores inside the grant"
        )
        raise errors.StartRefused(
            sentence, text=f"{errors.NOT_INITIALIZED}\n{sentence}", status=nrt_status.NrtStatus.INVALID
        )
    return asked


def _is_one_of_several(settings: environment.Environment, exact: spans.CoreSpan | None) -> bool:
    """Return whether a launcher started several processes and the cores were chosen for all of them alike.

    In a pod the device plugin sets NEURON_RT_VISIBLE_CORES, to the container's whole grant: no choice for one process.
    """
    chosen = exact not in {None, settings.grant} or settings.num_cores or settings.group_sizes
    return settings.local_ranks > 1 and not chosen


def _of_rank(settings: environment.Environment, cores: spans.CoreSpan) -> spans.CoreSpan:
    if settings.local_rank >= cores.count:
        sentence = (
            f"local rank {settings.local_rank} has no NeuronCore of its own: {settings.local_ranks} processes were "
            f"started, {cores.count} cores are visible. Start fewer, or set {names.VISIBLE_CORES_ENV} for each"
        )
        raise errors.StartRefused(
            sentence, text=f"{errors.NOT_INITIALIZED}\n{sentence}", status=nrt_status.NrtStatus.INVALID
        )
    return spans.CoreSpan(cores.first + settings.local_rank, 1)


def _number(settings: environment.Environment, scope: spans.CoreSpan, hardware: instance_types.Hardware) -> int:
    """Return the number asked for, 0 when none is. A grant is always a legal number: whoever made it chose it."""
    if not settings.num_cores:
        return 0
    number = visible_cores.parse_num_cores(settings.num_cores)
    if hardware.can_join_cores and not (settings.grant and number == scope.count):
        visible_cores.parse_num_cores(settings.num_cores, cores_per_device=hardware.cores_per_device)
    return number


def _runs(asked: Wish, free: Collection[int]) -> Iterator[spans.CoreSpan]:
    """Yield the free runs as the driver's search meets them, lowest first."""
    blind = -1
    for is_free, group in itertools.groupby(asked.searched, key=lambda core: core in free and core != blind):
        if is_free:
            run = spans.CoreSpan.of_cores(group)
            yield run
            # driver 2.24.7 resumes two cores after the last one of a run that was too short
            blind = run.end + 1 if asked.skip_quirk else -1
