"""Which cores to answer when kubelet asks for a preference: the grant this call belongs to, or a run that is free.

Law: pure; an answer is exactly as long as asked, contains what must be included, and avoids every other grant.
kubelet does not say for which pod it asks. It admits pods one after another, so at the moment of the call the pod
being admitted is the only one with a grant and without devices.
"""

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from neuronspan import grants, instance_types, ledger, names, placement, spans
from neuronspan.fitting import places
from neuronspan_deviceplugin import reasons
from neuronspan_deviceplugin.allocation import pod_devices

_ACTIVE = frozenset({grants.GrantState.GRANTED, grants.GrantState.CONFIRMED})


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """What kubelet asks, in cores: ``count`` of the ``available`` ones, ``must_include`` among them."""

    resource: str
    available: frozenset[int]
    must_include: frozenset[int]
    count: int


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """The answer; ``candidates`` is how many grants it could be (more than one: a race), ``why`` explains NONE."""

    outcome: reasons.SteeringOutcome
    span: spans.CoreSpan | None
    grant: grants.Grant | None = None
    candidates: int = 0
    why: str = ""


Pods = Sequence[pod_devices.PodDevices]


def choose(
    call: Call,
    hardware: instance_types.Hardware,
    book: ledger.Ledger,
    pods: Pods | None,
    *,
    allocated: Collection[grants.Key],
    avoid: Iterable[spans.CoreSpan],
) -> Answer:
    """Answer one call.

    ``pods`` is what PodResources lists now, None when it does not answer; ``allocated`` are the containers whose
    Allocate was already served; ``avoid`` are cores that are held, whatever kubelet thinks.
    """
    waiting = sorted(_waiting(call, book, pods, allocated))
    for candidate in waiting:
        if call.available | call.must_include >= set(candidate.span):
            return Answer(reasons.SteeringOutcome.GRANT, candidate.span, candidate.grant, len(waiting))
    found = _beside(call, hardware, (*book.taken(), *avoid))
    if isinstance(found, placement.Unplaceable):
        return Answer(reasons.SteeringOutcome.NONE, None, candidates=len(waiting), why=found.message)
    if waiting:
        return Answer(reasons.SteeringOutcome.DRIFT, found, waiting[0].grant, len(waiting))
    return Answer(reasons.SteeringOutcome.UNMANAGED, found)


def grant_behind(book: ledger.Ledger, resource: str, span: spans.CoreSpan) -> grants.Grant | None:
    """Return the grant that explains why kubelet would give away exactly these cores; None when none does."""
    return next((grant for grant in book.grants if grant.resource == resource and covers(grant, span)), None)


def covers(grant: grants.Grant, span: spans.CoreSpan) -> bool:
    """Whether a container of this grant may have exactly these cores.

    The grant's own container has all of them; an init container before it the first ones (the rule of the chain).
    """
    return grant.span == span or (
        bool(grant.init_containers) and grant.span.first == span.first and grant.span.contains(span)
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Candidate:
    grant: grants.Grant
    span: spans.CoreSpan
    key: tuple[bool, bool, bool, str, int]

    def __lt__(self, other: "_Candidate") -> bool:
        return self.key < other.key


def _waiting(
    call: Call, book: ledger.Ledger, pods: Pods | None, allocated: Collection[grants.Key]
) -> Iterator[_Candidate]:
    listed = None if pods is None else {(each.namespace, each.name): each for each in pods}
    for grant in book.grants:
        span = _part(call, grant)
        place = _place_in_pod(grant, listed, allocated)
        if span is None or place is None:
            continue
        # Several candidates are a race: a fresh decision beats an old one, the whole span beats its beginning, a
        # container we have not served beats one we have; then the oldest, then the pod's own order of containers.
        key = (
            grant.state is not grants.GrantState.GRANTED,
            span != grant.span,
            grant.key in allocated,
            grant.since,
            place,
        )
        yield _Candidate(grant, span, key)


def _part(call: Call, grant: grants.Grant) -> spans.CoreSpan | None:
    """Return the cores of the grant that fit the call: all of them, or the first ones for an init container."""
    if grant.state not in _ACTIVE or grant.resource != call.resource or call.count > grant.span.count:
        return None
    span = spans.CoreSpan(grant.span.first, call.count)
    return span if covers(grant, span) and call.must_include <= set(span) else None


def _place_in_pod(
    grant: grants.Grant,
    listed: Mapping[tuple[str, str], pod_devices.PodDevices] | None,
    allocated: Collection[grants.Key],
) -> int | None:
    """Return the container's place in the order of admission, None when it does not wait for devices.

    PodResources does not list plain init containers, so for them our own memory of Allocate speaks.
    """
    pod = None if listed is None else listed.get((grant.namespace, grant.pod))
    if listed is not None and pod is None:
        return None
    container = pod.container(grant.container) if pod else None
    if pod is None or container is None:
        return None if grant.key in allocated else -1
    return None if container.devices else pod.containers.index(container)


def _beside(
    call: Call, hardware: instance_types.Hardware, avoid: Iterable[spans.CoreSpan]
) -> spans.CoreSpan | placement.Unplaceable:
    """Return the best run that takes nothing that is planned or held."""
    avoided = {core for span in avoid for core in span}
    free = (call.available - avoided) | call.must_include
    taken = tuple(spans.CoreSpan(core, 1) for core in range(hardware.cores) if core not in free)
    align = placement.Alignment.DEVICE if call.resource == names.DEVICE_RESOURCE else placement.Alignment.NONE
    answers = [
        places.place(hardware, taken, placement.Request(call.count, align, first), placement.Packing.BEST_FIT)
        for first in _starts(call)
    ]
    return next((each for each in answers if isinstance(each, spans.CoreSpan)), (answers or [_too_far(call)])[0])


def _starts(call: Call) -> Sequence[int | None]:
    """Return the first cores to try: any, or those from which the run contains what must be included."""
    if not call.must_include:
        return (None,)
    return range(min(call.must_include), max(max(call.must_include) - call.count, -1), -1)


def _too_far(call: Call) -> placement.Unplaceable:
    included = ", ".join(map(str, sorted(call.must_include)))
    return placement.Unplaceable(
        placement.Reason.NO_RUN, f"cores {included} must be included and do not lie in one run of {call.count}", 0
    )
