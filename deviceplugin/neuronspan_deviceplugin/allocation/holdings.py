"""The plugin's own record of who holds which cores: made at Allocate, completed by ``reconciling``.

Law: a holding outlives kubelet's memory of it for as long as a process of its pod lives, because kubelet forgets
a force-deleted pod at once (kubernetes#141471) and would give its cores away under running processes.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self

from neuronspan import grants, spans

FRESH_SECONDS = 60.0
"""How long a container may take from Allocate to its pod's first process: the sandbox waits for the network plugin."""

Alive = Callable[[str], bool | None]
"""Pod UID -> whether a process of it is left; None when that cannot be seen."""

ACTIVE = frozenset({grants.GrantState.GRANTED, grants.GrantState.CONFIRMED})


@dataclasses.dataclass(frozen=True, slots=True)
class Placed:
    """An entry of kubelet's checkpoint whose IDs are one run of cores."""

    pod_uid: str
    container: str
    resource: str
    span: spans.CoreSpan
    former: bool = False  # under former IDs: kubelet offers the same cores once more under their present ones


@dataclasses.dataclass(frozen=True, slots=True)
class Holding:
    """One container's cores. Who the container is stays "" until kubelet's record or a grant tells."""

    resource: str
    span: spans.CoreSpan
    since: float  # seconds since the boot: when Allocate answered
    pod_uid: str = ""
    namespace: str = ""
    pod: str = ""
    container: str = ""
    certain: bool = False  # kubelet's record says who it is; before, the grant we steered to does
    started: bool = False  # a process of the pod has been seen
    verified: bool = False  # ledger, kubelet and this record agreed when a container of it started
    former: bool = False  # under former IDs: kubelet offers the same cores once more under their present ones

    def to_dict(self) -> dict[str, Any]:
        """Return the form stored in the checkpoint."""
        return {
            "resource": self.resource,
            "first": self.span.first,
            "count": self.span.count,
            "since": self.since,
            "podUID": self.pod_uid,
            "namespace": self.namespace,
            "pod": self.pod,
            "container": self.container,
            "certain": self.certain,
            "started": self.started,
            "verified": self.verified,
            "former": self.former,
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read the form of ``to_dict``; raises KeyError, TypeError or ValueError.

        Who wrote no ``former`` knew only former IDs.
        """
        return cls(
            resource=str(raw["resource"]),
            span=spans.CoreSpan(raw["first"], raw["count"]),
            since=float(raw["since"]),
            pod_uid=str(raw["podUID"]),
            namespace=str(raw["namespace"]),
            pod=str(raw["pod"]),
            container=str(raw["container"]),
            certain=bool(raw["certain"]),
            started=bool(raw["started"]),
            verified=bool(raw["verified"]),
            former=bool(raw.get("former", True)),
        )

    def __str__(self) -> str:
        who = f"{self.namespace}/{self.pod}" if self.pod else f"pod {self.pod_uid or '(not known yet)'}"
        return f"{who}[{self.container or '?'}] {self.span}"


Holdings = tuple[Holding, ...]


def allocated(current: Holdings, new: Holding) -> Holdings:
    """Enter what Allocate just gave away; a container that is given devices again has only the new ones."""
    return (*(each for each in current if not _replaces(new, each)), new)


def given_anew(
    placed: Iterable[Placed], resource: str, span: spans.CoreSpan, pod_uid: str, *, former: bool = False
) -> frozenset[Placed]:
    """Return the entries that are over once kubelet gives these cores to this pod: it gives away only what it freed.

    Entries of the pod itself stay: a container gets the devices of a finished init container of its pod. Of cores under
    ``former`` IDs it has freed nothing when it gives them under present ones, and the other way round.
    """
    counted = [each for each in placed if each.former == former]
    return frozenset(
        each for each in counted if each.resource == resource and each.pod_uid != pod_uid and each.span.overlaps(span)
    )


def overlapping(current: Iterable[Holding], span: spans.CoreSpan) -> Iterator[Holding]:
    """Return the holdings that share a core with the span."""
    return (each for each in current if each.span.overlaps(span))


def shared(current: Holdings, alive: Alive) -> frozenset[frozenset[str]]:
    """Return the pairs of pods (UIDs) that were both let start on one core and both have processes."""
    running = [each for each in current if each.verified and alive(each.pod_uid)]
    return frozenset(
        frozenset((one.pod_uid, other.pod_uid))
        for one in running
        for other in overlapping(running, one.span)
        if one.pod_uid != other.pod_uid
    )


def is_recent(holding: Holding, now: float) -> bool:
    """Whether its first process may still be on its way; a record from before a reboot lies in the future."""
    return 0 <= now - holding.since <= FRESH_SECONDS


def named(current: Holdings, by_place: Mapping[tuple[str, spans.CoreSpan], tuple[str, str, str]]) -> Holdings:
    """Enter pod names learnt from PodResources: (resource, span) -> (namespace, pod, container)."""
    return tuple(_named(each, by_place.get((each.resource, each.span))) for each in current)


def verified(current: Holdings, resource: str, span: spans.CoreSpan, pod_uid: str) -> Holdings:
    """Note that a container of this pod was let start on these cores."""
    return tuple(
        dataclasses.replace(each, verified=True)
        if (each.resource, each.span, each.pod_uid) == (resource, span, pod_uid)
        else each
        for each in current
    )


def started_on(current: Iterable[Holding], pod_uid: str) -> frozenset[int]:
    """Return the cores on which a container of this pod was let start."""
    return frozenset(core for each in current if each.verified and each.pod_uid == pod_uid for core in each.span)


def container_of(entry: Placed | Holding) -> tuple[str, str, str]:
    """Return which container it is, under which resource."""
    return entry.pod_uid, entry.container, entry.resource


def place_of(entry: Placed | Holding) -> tuple[str, spans.CoreSpan, bool]:
    """Return which cores it is about, and under which IDs."""
    return entry.resource, entry.span, entry.former


def _replaces(new: Holding, old: Holding) -> bool:
    if new.pod_uid:
        return container_of(old) == container_of(new)
    return not old.pod_uid and place_of(old) == place_of(new)


def _named(holding: Holding, name: tuple[str, str, str] | None) -> Holding:
    if name is None or holding.pod:
        return holding
    namespace, pod, container = name
    return dataclasses.replace(holding, namespace=namespace, pod=pod, container=holding.container or container)
