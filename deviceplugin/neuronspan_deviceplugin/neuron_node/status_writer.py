"""NeuronNode.status: what this node advertises, who holds what, and the proof that a pod is over.

Law: written on change only, never periodically; ``released`` names a pod only when we looked and saw no process of it.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from neuronspan import grants, instance_types, ledger
from neuronspan_agent import errors
from neuronspan_deviceplugin import metrics, reasons
from neuronspan_deviceplugin.allocation import health, holdings
from neuronspan_deviceplugin.neuron_node import conditions, reading

_LONGEST_MESSAGE = 1024

Document = dict[str, Any]
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """Everything the status is made of; ``hardware`` is None while none is served."""

    epoch: str
    hardware: instance_types.Hardware | None
    unhealthy: Mapping[int, str]
    holdings: holdings.Holdings
    book: ledger.Ledger | None
    alive: Mapping[str, bool | None]
    conditions: Sequence[conditions.Condition]
    detected: instance_types.Hardware | None = None
    """What the node really has, where that is asked for."""
    user_namespaces: bool | None = None
    """Whether pods with a user namespace of their own get the devices; None while there are none."""


def document(facts: Facts, before: Mapping[str, Any], now: str) -> Document:
    """Return the status; ``before`` is the one written last, for the times of the conditions, ``now`` is RFC 3339."""
    hardware = facts.hardware
    return {
        "hardware": hardware.to_dict() if hardware else None,
        "detected": facts.detected.to_dict() if facts.detected else None,
        "userNamespaces": facts.user_namespaces,
        "epoch": facts.epoch,
        "cores": health.status(hardware, facts.unhealthy) if hardware else [],
        "held": held(facts.holdings, facts.book, facts.alive),
        "released": released(facts.book, facts.alive),
        "conditions": condition_entries(facts.conditions, before.get("conditions") or (), now),
    }


def held(current: holdings.Holdings, book: ledger.Ledger | None, alive: Mapping[str, bool | None]) -> list[Document]:
    """Return who holds which cores; what cannot be seen counts as a living process.

    An init container whose cores belong to a later container of its pod is not listed beside it.
    """
    own = {grant.key for grant in (book.grants if book else ())}
    shown = [each for each in current if not any(_speaks_for(other, each, own) for other in current)]
    return [
        {
            "podUID": each.pod_uid,
            "namespace": each.namespace,
            "pod": each.pod,
            "container": each.container,
            "first": each.span.first,
            "count": each.span.count,
            "resource": each.resource,
            "processes": bool(each.pod_uid) and alive.get(each.pod_uid) is not False,
        }
        for each in sorted(shown, key=lambda one: (one.span, one.pod_uid, one.container))
    ]


def released(book: ledger.Ledger | None, alive: Mapping[str, bool | None]) -> list[str]:
    """Return the pods whose grants are being released and of which no process is left."""
    releasing = {each.pod_uid for each in (book.grants if book else ()) if each.state is grants.GrantState.RELEASING}
    return sorted(uid for uid in releasing if alive.get(uid) is False)


def condition_entries(
    current: Iterable[conditions.Condition], before: Sequence[Mapping[str, Any]], now: str
) -> list[Document]:
    """Return the conditions; the time of one that did not change its status stays."""
    times = {(each.get("type"), each.get("status")): each.get("lastTransitionTime") for each in before}
    return [
        {
            "type": each.type.value,
            "status": str(each.holds),
            "reason": each.reason.value,
            "message": each.message[:_LONGEST_MESSAGE],
            "lastTransitionTime": times.get((each.type, str(each.holds))) or now,
        }
        for each in current
    ]


class Writer(Protocol):
    """The one call the reporter needs; ``own_node.OwnNode`` has it."""

    async def patch_status(self, status: Mapping[str, Any]) -> None:
        """Merge into the object's status; raises KubernetesError."""


class Reporter:
    """Writes the status when it differs from what was written last."""

    def __init__(self, own: Writer, now: Callable[[], str], meters: metrics.Metrics) -> None:
        self._own = own
        self._now = now
        self._meters = meters
        self._written: Document = {}
        self._uid = ""  # of the object it was written to

    async def report(self, facts: Facts, node: reading.NeuronNode) -> None:
        """Write if needed; ``node`` is the object as last seen.

        Another instance that ends after we began may have written over ours: then its epoch stands there. An object
        that was deleted and made anew has no status yet.
        """
        observed = node.status
        if node.uid != self._uid:
            self._uid, self._written = node.uid, {}
        wanted = document(facts, self._written or observed, self._now())
        overwritten = self._written and observed.get("epoch", facts.epoch) != facts.epoch
        if wanted == self._written and not overwritten:
            return
        try:
            await self._own.patch_status(wanted)
        except errors.KubernetesError as error:
            self._meters.status_writes.labels(reasons.Outcome.FAILED).inc()
            _log.warning("status not written", extra={"error": str(error)})
        else:
            self._meters.status_writes.labels(reasons.Outcome.OK).inc()
            self._written = wanted


def _speaks_for(other: holdings.Holding, holding: holdings.Holding, own: set[grants.Key]) -> bool:
    """Whether the other holding, of the same pod, includes this one."""
    if other is holding or (other.pod_uid, other.resource) != (holding.pod_uid, holding.resource) or not other.pod_uid:
        return False
    if other.span == holding.span:
        return (other.pod_uid, other.container) in own and (holding.pod_uid, holding.container) not in own
    return other.span.contains(holding.span)
