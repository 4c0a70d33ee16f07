"""One node without sockets and files: the plugin's decisions, kubelet's device manager, processes, and an operator.

Each operation is what could happen on a real node; nothing here is careful on the plugin's behalf. A container that
the plugin lets start uses its cores until its pod's processes end, whatever anybody has recorded by then. Kubelet's
record is what it wrote last: pods that are over leave it only with the next allocation, after the plugin's answer.
"""

import asyncio
import dataclasses
import random
from collections.abc import Collection, Sequence

from kits.kubelet import lock_table, node_parts
from kits.manifests import builders, domain
from neuronspan import device_ids, grants, instance_types, ledger, names, placement, spans, topologies
from neuronspan.fitting import places
from neuronspan_agent import signals
from neuronspan_deviceplugin import errors, metrics, reasons
from neuronspan_deviceplugin.allocation import container_edits, holdings, pod_devices, resource_manager
from neuronspan_deviceplugin.host import cdi
from neuronspan_embedded.kubelet import devices as device_manager
from neuronspan_embedded.kubelet import pods

HARDWARE = instance_types.Hardware("test.small", 6, 2, 1, 1 << 30, topologies.Topology.NONE)
LOOKS_BEFORE = 0.5
"""How often the plugin looks between its answer to Allocate and kubelet's entry for it."""
BEST_FIT = placement.Packing.BEST_FIT


@dataclasses.dataclass
class Use:
    """A container's processes on cores."""

    uid: str
    container: str
    span: spans.CoreSpan


class SimulatedNode:
    """The node; ``obedient`` kubelets take what the plugin prefers, others choose for themselves now and then."""

    def __init__(self, seed: int, *, obedient: bool = True) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - a seed makes the test repeatable
        self.obedient = obedient
        self.book = ledger.Ledger(HARDWARE.cores)
        self.pods: dict[str, pods.Pod] = {}
        self.uses: list[Use] = []
        self.refusals: list[str] = []
        self.renamed: list[holdings.Holding] = []
        self.clock = 0.0
        self._recorded: tuple[pod_devices.Assignment, ...] = ()
        self.locks = lock_table.LockTable()
        self.former_plugin = False
        """Whether the plugin of this moment knows former IDs only: it lists them, and marks none in its record."""
        self.upgrade_after_next_answer = False
        """Whether the plugin is replaced before kubelet goes on to the next container."""
        self.manager = self._new_manager()
        self.kubelet = self._new_kubelet({})

    # --- processes of the node's software ------------------------------------------------------------------------

    def restart_plugin(self, *, record_kept: bool = True) -> None:
        """Start the plugin anew, with its record or without; it reads kubelet's before it serves."""
        record = self.manager.holdings if record_kept else ()
        self.manager = self._new_manager()
        self.manager.restore(record)
        self.refresh()

    def begin_before_the_upgrade(self) -> None:
        """Let the plugin be the one of before: a node without pods has it."""
        self.former_plugin = True
        self._list()

    def upgrade_plugin(self, *, record_kept: bool = True) -> None:
        """Put today's plugin in the place of the former one, whatever is under way; kubelet has only its IDs then."""
        unmarked = [each.to_dict() for each in self.manager.holdings] if record_kept else []
        if self.former_plugin:
            unmarked = [{key: value for key, value in each.items() if key != "former"} for each in unmarked]
        self.former_plugin = False
        self.manager = self._new_manager()
        self.manager.restore(tuple(map(holdings.Holding.from_dict, unmarked)))
        self.refresh()
        self._list()

    def restart_kubelet(self) -> None:
        """Start kubelet anew: it remembers what it gave, and the plugin registers at once."""
        self.kubelet = self._new_kubelet(self.kubelet.given)
        self._list()

    # --- users ---------------------------------------------------------------------------------------------------

    def submit(self, name: str, sizes: Sequence[int], *, devices: bool = False) -> bool:
        """Let the operator grant a pod of several containers and kubelet admit it; False when there is no room."""
        unit, resource = (2, names.DEVICE_RESOURCE) if devices else (1, names.CORE_RESOURCE)
        align = placement.Alignment.DEVICE if devices else placement.Alignment.NONE
        wanted = [placement.Request(size * unit, align) for size in sizes]
        found = places.place_all(HARDWARE, self.book.taken(), wanted, BEST_FIT)
        if isinstance(found, placement.Unplaceable):
            return False
        for number, span in enumerate(found):
            grant = domain.grant(str(span), name, container=f"c{number}", resource=resource)
            self._write(self.book.add(grant))
        self._admit(name, {f"c{number}": {resource: size} for number, size in enumerate(sizes)})
        return True

    def submit_chain(self, name: str, init: int, app: int) -> bool:
        """Let the operator grant a pod whose init container's cores are extended for the app."""
        found = places.place(HARDWARE, self.book.taken(), placement.Request(app), BEST_FIT)
        if isinstance(found, placement.Unplaceable):
            return False
        self._write(self.book.add(domain.grant(str(found), name, container="c0", init_containers=("init",))))
        self._admit(name, {"c0": {names.CORE_RESOURCE: app}}, {"init": {names.CORE_RESOURCE: init}})
        return True

    def stray(self, name: str, size: int) -> None:
        """Let a pod slip past the operator."""
        self._admit(name, {"c0": {names.CORE_RESOURCE: size}})

    def start(self, uid: str) -> None:
        """Let kubelet start every container of the pod once; what is refused is noted and may be tried again."""
        pod = self.pods[uid]
        for container in pod.containers:
            for resource in container.limits:
                self._start(pod, container, resource)

    def finish(self, uid: str) -> None:
        """End the pod by itself: its object stays, the operator sees the phase."""
        self.pods[uid].phase = pods.Phase.TERMINATED
        self.uses = [each for each in self.uses if each.uid != uid]
        self._release(uid)

    def force_delete(self, uid: str) -> None:
        """Take the object away while the processes live on."""
        del self.pods[uid]
        self.kubelet.update_allocated()
        self._release(uid)

    def kill(self, uid: str) -> None:
        """End the processes of a pod."""
        self.uses = [each for each in self.uses if each.uid != uid]

    # --- time passes ---------------------------------------------------------------------------------------------

    def poll(self) -> None:
        """Let the plugin look, and the operator act on what it reports: release by proof, adopt, swap."""
        self.clock += 1.0
        self.refresh()
        alive = self._look({each.pod_uid for each in self.book.grants})
        for grant in self.book.grants:
            if grant.state is grants.GrantState.RELEASING and alive[grant.pod_uid] is False:
                self._write(self.book.forget(grant.key))
        for each in self.manager.holdings:
            self._settle(each)

    def refresh(self) -> None:
        """Let the plugin read kubelet's record and the processes."""
        wanted = self.manager.pods_of_interest(self._recorded)
        self.manager.learn_assignments(self._recorded, self._look(wanted))

    def look_before_kubelet_writes(self) -> None:
        """Let the plugin read the record between its answer to Allocate and kubelet's entry for it.

        What the answer gave away must not get another pod's name from a record that is older than it. Of a kubelet that
        is not obedient the plugin may not know for whom it asked.
        """
        new = self.manager.holdings[-1]
        self.refresh()
        kept = {(each.pod_uid, each.span) for each in self.manager.holdings}
        if self.obedient and new.pod_uid and (new.pod_uid, new.span) not in kept:
            self.renamed.append(new)

    # --- truths --------------------------------------------------------------------------------------------------

    def shared_cores(self) -> list[tuple[Use, Use]]:
        """Return every two containers of different pods whose processes use one core."""
        return [
            (one, other)
            for index, one in enumerate(self.uses)
            for other in self.uses[index + 1 :]
            if one.uid != other.uid and one.span.overlaps(other.span)
        ]

    def given(self, uid: str, container: str, resource: str = names.CORE_RESOURCE) -> spans.CoreSpan | None:
        """Return the container's cores by kubelet."""
        ids = self.kubelet.devices(uid, container, resource)
        return device_ids.span_of(resource, ids, HARDWARE) if ids else None

    # --- inside --------------------------------------------------------------------------------------------------

    def _new_manager(self) -> resource_manager.ResourceManager:
        manager = resource_manager.ResourceManager(
            HARDWARE,
            names.NODE_NUMBERING,
            catalogue=cdi.NoCatalogue(node_parts.named()),
            locks=self.locks,
            look=self._look,
            clock=lambda: self.clock,
            changed=signals.Signal(),
            meters=metrics.Metrics(),
        )
        manager.learn_ledger(self.book)
        return manager

    def _new_kubelet(self, given: device_manager.PodDevices) -> device_manager.DeviceManager:
        kubelet = device_manager.DeviceManager(
            lambda: (each for each in self.pods.values() if each.active), lambda: self._record(kubelet), self.chance
        )
        kubelet.restore(given, ())
        for resource in names.RESOURCES:
            kubelet.plugins[resource] = DirectPlugin(self, resource)
            kubelet.listed(resource, self._devices(resource))
        return kubelet

    def _list(self) -> None:
        for resource in names.RESOURCES:
            self.kubelet.listed(resource, self._devices(resource))

    def _devices(self, resource: str) -> dict[str, bool]:
        spelled = former_id if self.former_plugin else _as_it_is
        return {spelled(resource, each.device_id): each.healthy for each in self.manager.devices(resource)}

    def _look(self, uids: Collection[str]) -> dict[str, bool | None]:
        running = {each.uid for each in self.uses}
        return {each: each in running for each in uids}

    def _write(self, book: ledger.Ledger) -> None:
        self.book = book
        self.manager.learn_ledger(book)

    def _admit(
        self, name: str, containers: dict[str, dict[str, int]], init: dict[str, dict[str, int]] | None = None
    ) -> None:
        described = [pods.Container(each, limits, init=True) for each, limits in (init or {}).items()]
        described += [pods.Container(each, limits) for each, limits in containers.items()]
        pod = pods.Pod(f"uid-{name}", "default", name, builders.CREATED, tuple(described))
        self.pods[pod.uid] = pod
        try:
            for container in pod.containers:
                asyncio.run(self.kubelet.allocate(pod, container))
        except device_manager.AdmissionFailed as error:
            pod.phase, pod.message = pods.Phase.FAILED, str(error)
            self._release(pod.uid)
        else:
            pod.phase = pods.Phase.ADMITTED

    def _start(self, pod: pods.Pod, container: pods.Container, resource: str) -> None:
        ids = self.kubelet.devices(pod.uid, container.name, resource)
        if ids is None or any((each.uid, each.container) == (pod.uid, container.name) for each in self.uses):
            return
        self.refresh()
        try:
            self.manager.start(resource, ids)
        except errors.NotYet as error:
            self.refusals.append(error.reason)
            return
        self.uses.append(Use(pod.uid, container.name, device_ids.span_of(resource, ids, HARDWARE)))

    def _release(self, uid: str) -> None:
        for each in self.book.of_pod(uid):
            if each.state is not grants.GrantState.RELEASING:
                self._write(self.book.release(each.key, domain.LATER))

    def _record(self, kubelet: device_manager.DeviceManager) -> None:
        self._recorded = tuple(
            pod_devices.Assignment(uid, container, resource, each.ids)
            for uid, containers in kubelet.given.items()
            for container, resources in containers.items()
            for resource, each in resources.items()
        )

    def _settle(self, holding: holdings.Holding) -> None:
        """Adopt a holder without a grant when its cores are free in the ledger, and swap two equal ones."""
        pod = self.pods.get(holding.pod_uid)
        if pod is None or not pod.active or not holding.certain:
            return
        other = self.book.find(holding.span)
        own = next((each for each in self.book.of_pod(pod.uid) if each.container == holding.container), None)
        if own is None and not any(each.span.overlaps(holding.span) for each in self.book.grants):
            grant = domain.grant(str(holding.span), pod.name, container=holding.container, resource=holding.resource)
            self._write(self.book.adopt(dataclasses.replace(grant, state=grants.GrantState.CONFIRMED)))
        elif own and other and own.key != other.key and _equal(own, other):
            self._write(self.book.moved({own.key: other.span, other.key: own.span}))


class DirectPlugin:
    """The plugin's answers without gRPC, with the same second look as over gRPC."""

    preferred_available = True
    stopped = False

    def __init__(self, node: SimulatedNode, resource: str) -> None:
        self._node = node
        self._resource = resource

    async def preferred(self, available: list[str], must_include: list[str], size: int) -> list[str]:
        manager = self._node.manager
        if not self._node.obedient and self._node.chance.random() < 0.3:
            return []
        listed = [_listed(each, self._node.kubelet) for each in self._node.pods.values() if each.active]
        choice = manager.prefer(self._resource, available, must_include, size, listed)
        if choice.outcome is not reasons.SteeringOutcome.GRANT:
            self._node.refresh()
            choice = manager.prefer(self._resource, available, must_include, size, listed)
        if choice.span is None:
            raise device_manager.AdmissionFailed(choice.why)
        kept = available if self._node.former_plugin else must_include
        return list(manager.ids(self._resource, choice.span, kept))

    async def allocate(self, ids: list[str]) -> bytes:
        try:
            edits: container_edits.Edits = self._node.manager.allocate(self._resource, ids)
        except errors.AllocationRefused as error:
            raise device_manager.AdmissionFailed(str(error)) from error
        if self._node.chance.random() < LOOKS_BEFORE:
            self._node.look_before_kubelet_writes()
        if self._node.upgrade_after_next_answer:
            self._node.upgrade_after_next_answer = False
            self._node.upgrade_plugin()
        return edits.environment[names.GRANT_ENV].encode()

    async def pre_start(self, ids: list[str]) -> None:
        raise AssertionError(f"starts go through the node, not {ids}")


def former_id(resource: str, device_id: str) -> str:
    """Return the ID as plugins spelled it before IDs were plain numbers."""
    return f"{'nd' if resource == names.DEVICE_RESOURCE else 'nc'}-{device_id}"


def _as_it_is(_resource: str, device_id: str) -> str:
    return device_id


def _listed(pod: pods.Pod, kubelet: device_manager.DeviceManager) -> pod_devices.PodDevices:
    containers = [
        pod_devices.ContainerDevices(
            each.name,
            {resource: ids for resource in names.RESOURCES if (ids := kubelet.devices(pod.uid, each.name, resource))},
        )
        for each in pod.containers
        if not each.plain_init
    ]
    return pod_devices.PodDevices(pod.namespace, pod.name, tuple(containers))


def _equal(one: grants.Grant, other: grants.Grant) -> bool:
    releasing = grants.GrantState.RELEASING in {one.state, other.state}
    return not releasing and (one.span.count, one.resource) == (other.span.count, other.resource)
