"""The node's cores under both resource names: what is advertised, preferred, allocated and allowed to start.

Law: no gRPC and no waiting; every method is one step on the state, so calls for the two resources cannot interleave
inside it. Decisions are the pure functions of its neighbours; this is their memory.
"""

import dataclasses
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from neuronspan import grants, instance_types, ledger, names, spans
from neuronspan_agent import logs, signals
from neuronspan_deviceplugin import metrics, reasons
from neuronspan_deviceplugin.allocation import (
    container_edits,
    core_locks,
    device_sets,
    health,
    holdings,
    pod_devices,
    reconciling,
    refusing,
    steering,
    verification,
)

Look = Callable[[Collection[str]], Mapping[str, bool | None]]
"""Pod UIDs -> whether a process of each is left (None: cannot see); reads the control groups now."""

_log = logging.getLogger(__name__)


class ResourceManager:
    """The state of one node; raises ``changed`` whenever an answer could differ from before."""

    def __init__(
        self,
        hardware: instance_types.Hardware,
        numbering: str,
        *,
        catalogue: container_edits.EditsMaker,
        locks: core_locks.CoreLocks,
        look: Look,
        clock: Callable[[], float],
        changed: signals.Signal,
        meters: metrics.Metrics,
    ) -> None:
        self.hardware = hardware
        self.numbering = numbering
        self.changed = changed
        self.book: ledger.Ledger | None = None
        self.unhealthy: Mapping[int, str] = {}
        self.holdings: holdings.Holdings = ()
        self.placed: tuple[holdings.Placed, ...] | None = ()
        self._sets = device_sets.DeviceSets(hardware)
        self._catalogue = catalogue
        self._locks = locks
        self._look = look
        self._clock = clock
        self._meters = meters
        self._expected: dict[tuple[str, spans.CoreSpan], grants.Grant] = {}
        self._shared: frozenset[frozenset[str]] = frozenset()
        self._outdated: frozenset[holdings.Placed] = frozenset()
        meters.healthy.set(hardware.cores)

    # --- what others tell us -------------------------------------------------------------------------------------

    def learn_ledger(self, book: ledger.Ledger | None) -> None:
        """Take over the node's ledger; None: keep the last one."""
        if book is None or book == self.book:
            return
        self.book = book
        self.changed.raised()

    def learn_health(self, unhealthy: Mapping[int, str]) -> None:
        """Learn which cores are unhealthy, each with the reason; all others are healthy."""
        if unhealthy == self.unhealthy:
            return
        self.unhealthy = dict(unhealthy)
        self._meters.healthy.set(self.hardware.cores - len(unhealthy))
        self.changed.raised()

    def restore(self, current: holdings.Holdings) -> None:
        """Take over the record of an earlier process; what does not exist on this hardware any more is left out."""
        self._hold(tuple(each for each in current if each.span.end <= self.hardware.cores))

    def learn_pods(self, pods: Iterable[pod_devices.PodDevices]) -> None:
        """Learn the names of pods whose devices PodResources lists."""
        self._hold(holdings.named(self.holdings, self._sets.names_by_place(pods)))

    def learn_assignments(
        self, assignments: Sequence[pod_devices.Assignment] | None, alive: Mapping[str, bool | None]
    ) -> None:
        """Complete the record from kubelet's checkpoint (None: unreadable) and from the pods' processes.

        Kubelet writes the checkpoint after Allocate has answered: one that was read before names the former pod still.
        """
        read = None if assignments is None else tuple(self._sets.placed(assignments))
        self._outdated &= frozenset(read or ())
        self.placed = read and tuple(each for each in read if each not in self._outdated)
        now, outdated = self._clock(), self._outdated
        self._hold(reconciling.reconciled(self.holdings, read, self.book, alive.get, now, outdated=outdated))
        self._count_shared(alive)

    def pods_of_interest(self, assignments: Sequence[pod_devices.Assignment] | None) -> frozenset[str]:
        """Return the UIDs of all pods whose processes matter."""
        granted = (each.pod_uid for each in (self.book.grants if self.book else ()))
        recorded = (each.pod_uid for each in assignments or ())
        return frozenset((*granted, *recorded, *(each.pod_uid for each in self.holdings))) - {""}

    # --- what kubelet asks ---------------------------------------------------------------------------------------

    def devices(self, resource: str) -> tuple[health.DeviceHealth, ...]:
        """Return the full list of this resource's devices."""
        return health.devices(resource, self.hardware, self.unhealthy)

    def ids(self, resource: str, span: spans.CoreSpan, kept: Iterable[str]) -> tuple[str, ...]:
        """Return the device IDs that are the span; those of ``kept`` stay as kubelet spells them."""
        return self._sets.ids(resource, span, kept)

    def prefer(
        self,
        resource: str,
        available: Iterable[str],
        must_include: Iterable[str],
        size: int,
        pods: Sequence[pod_devices.PodDevices] | None,
    ) -> steering.Answer:
        """Choose the cores for a preferred allocation; raises InvalidDeviceId (domain) for IDs that are not ours."""
        unit = self.hardware.cores_per_device if resource == names.DEVICE_RESOURCE else 1
        included = self._sets.cores(resource, must_include)
        free = self._sets.cores(resource, available) - self._uncounted(resource)
        call = steering.Call(resource, free, included, size * unit)
        choice = steering.choose(
            call,
            self.hardware,
            self.book or ledger.Ledger(self.hardware.cores),
            pods,
            allocated={(each.pod_uid, each.container) for each in self.holdings},
            avoid=[each.span for each in self.holdings],
        )
        if choice.outcome is reasons.SteeringOutcome.GRANT and choice.span and choice.grant:
            self._expected[resource, choice.span] = choice.grant
        elif choice.span:
            self._expected.pop((resource, choice.span), None)
        return choice

    def allocate(self, resource: str, ids: Collection[str]) -> container_edits.Edits:
        """Return what the container gets, and record it; raises AllocationRefused."""
        span = self._sets.to_give(resource, ids)
        refusing.refuse_taken(self.holdings, resource, span, self._is_live)
        expected = self._expected.pop((resource, span), None)
        asked = self._sets.under_present_ids(resource, ids)
        refusing.refuse_held_formerly(self.holdings, asked, expected, self._is_live)
        grant = expected or self._granted(resource, span)
        if grant is not None:
            former = device_sets.any_former(ids)
            self._outdated |= holdings.given_anew(self.placed or (), resource, span, grant.pod_uid, former=former)
        mode = grant.env if grant else grants.EnvMode.VISIBLE
        variables = container_edits.environment(span, mode, self.numbering)
        variables |= container_edits.group_environment(grant, span)
        holding = dataclasses.replace(self._holding(resource, span, grant), former=device_sets.any_former(ids))
        self._hold(holdings.allocated(self.holdings, holding))
        whose = logs.of_grant(grant) if grant else {}
        _log.info("allocated", extra={"resource": resource, "cores": str(span), **whose})
        return self._catalogue.edits(span, mode, variables, self.hardware, self.numbering)

    def check_start(
        self, resource: str, ids: Collection[str], alive: Mapping[str, bool | None]
    ) -> tuple[verification.Holder, grants.Grant | None]:
        """Return who is about to start, and under which grant; raises NotYet."""
        start = verification.Start(resource, self._sets.to_start(resource, ids), device_sets.any_former(ids))
        holder = verification.holder_to_start(start, self.placed, self.holdings)
        grant = verification.grant_to_start(start, holder, self.book, self.holdings)
        verification.refuse_former_holders(start, holder.pod_uid, self.book, self.holdings, alive.get)
        return holder, grant

    def start(self, resource: str, ids: Collection[str]) -> None:
        """Let a container start, with lock files that are its pod's own; raises NotYet.

        Everything is looked at once more: what was seen before an await may have changed, and another pod may have
        been let start on these cores meanwhile. Their lock files would say so.
        """
        span = self._sets.to_start(resource, ids)
        locks = self._locks.of(span)
        alive = self._look(self.pods_of_interest(()) | {each.pod_uid for each in locks} - {""})
        holder, _ = self.check_start(resource, ids, alive)
        started_on = holdings.started_on(self.holdings, holder.pod_uid)
        self._locks.renew(core_locks.outdated(locks, holder.pod_uid, started_on, alive.get), holder.pod_uid)
        self._hold(holdings.verified(self.holdings, resource, span, holder.pod_uid))

    # --- inside --------------------------------------------------------------------------------------------------

    def _hold(self, current: holdings.Holdings) -> None:
        if current == self.holdings:
            return
        self.holdings = current
        self._meters.held.set(len({core for each in current for core in each.span}))
        self.changed.raised()

    def _count_shared(self, alive: Mapping[str, bool | None]) -> None:
        """Count pods that both run on one core: it must never happen, so it must be seen if it does."""
        shared = holdings.shared(self.holdings, alive.get)
        for pods in shared - self._shared:
            self._meters.double_grants.inc()
            _log.error("two pods run on one core", extra={"pods": sorted(pods)})
        self._shared = shared

    def _holding(self, resource: str, span: spans.CoreSpan, grant: grants.Grant | None) -> holdings.Holding:
        """Record what was given away, for the container the grant names: kubelet's record will tell for sure."""
        if grant is None:
            return holdings.Holding(resource, span, self._clock())
        container = grant.container if span == grant.span else grant.init_containers[0]
        return holdings.Holding(resource, span, self._clock(), grant.pod_uid, grant.namespace, grant.pod, container)

    def _granted(self, resource: str, span: spans.CoreSpan) -> grants.Grant | None:
        return steering.grant_behind(self.book, resource, span) if self.book else None

    def _uncounted(self, resource: str) -> frozenset[int]:
        """Return the cores that are held, and that kubelet offers all the same.

        It counts the two resources apart, and an ID that is not listed any more apart from the one that took its place.
        """
        held = (each.span for each in self.holdings if each.resource != resource or each.former)
        return frozenset(core for span in held for core in span)

    def _is_live(self, holding: holdings.Holding) -> bool:
        if not holding.pod_uid:
            return holdings.is_recent(holding, self._clock())
        states = {each.state for each in (self.book.of_pod(holding.pod_uid) if self.book else ())}
        return bool(states & holdings.ACTIVE) or self._look({holding.pod_uid})[holding.pod_uid] is not False
