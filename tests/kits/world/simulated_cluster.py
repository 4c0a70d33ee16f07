"""A cluster in memory for random simulations of the planner: an API server with its rules, and machines with processes.

Nothing here decides like the operator does. A machine starts a pod's containers where its (possibly old) copy of the
ledger says, and by default without any check of its own, so that only the operator's care keeps cores exclusive.
"""

import copy
import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from kits.manifests import builders
from neuronspan import grants, instance_types, ledger, names, placement, spans, topologies
from neuronspan.fitting import places
from neuronspan_operator.objects import budgets, container_requests, neuron_nodes, nodes, pods
from neuronspan_operator.planning import plans
from neuronspan_operator.pools import standings

Manifest = dict[str, Any]
View = TypeVar("View")
HARDWARE = instance_types.Hardware("test.small", 4, 2, 1, 1 << 30, topologies.Topology.NONE)
LABELS = {"neuron": "yes"}
GUARDED = {"guarded": "yes"}
"""Labels of the pods that the one disruption budget is about."""
LEAST_GUARDED = 2
"""Of them so many must stay."""
START = dt.datetime(2026, 1, 31, 9, 0, tzinfo=dt.UTC)


class Refused(Exception):  # noqa: N818 - an answer of the API server, not a failure of the test
    """The API server's 404, 409 or 422."""


@dataclasses.dataclass(frozen=True)
class Process:
    """One container's processes."""

    uid: str
    container: str
    namespace: str
    pod: str
    span: spans.CoreSpan
    resource: str


@dataclasses.dataclass
class Machine:
    """What is behind a Node: it does not care about API objects until somebody tells it."""

    name: str
    cautious: bool  # whether its plugin refuses cores that a process has; off = the operator alone has to be right
    processes: list[Process] = dataclasses.field(default_factory=list)
    heard: tuple[grants.Grant, ...] = ()  # its copy of the ledger, as old as the last ``hear``
    nameless: bool = False  # whether its reports leave out pod UIDs
    epoch: int = 1
    unhealthy: set[int] = dataclasses.field(default_factory=set)

    def end(self, uid: str) -> None:
        """End all processes of a pod."""
        self.processes = [process for process in self.processes if process.uid != uid]

    def report(self) -> Manifest:
        """Return the status the plugin would write now."""
        busy = {process.uid for process in self.processes}
        over = {grant.pod_uid for grant in self.heard if grant.state is grants.GrantState.RELEASING}
        return {
            "hardware": HARDWARE.to_dict(),
            "epoch": f"{self.name}-{self.epoch}",
            "cores": [{"index": core, "healthy": core not in self.unhealthy} for core in range(HARDWARE.cores)],
            "held": [_held(process, nameless=self.nameless) for process in self.processes],
            "released": sorted(over - busy),
            "conditions": [{"type": "Registered", "status": "True"}],
        }

    def start(self, pod: pods.PodView) -> None:
        """Start the containers of a bound pod: on the granted cores, or (never granted) wherever there is room."""
        for request in pod.requests:
            key = pod.uid, request.container
            if any((process.uid, process.container) == key for process in self.processes):
                continue
            grant = next((grant for grant in self.heard if grant.key == key), None)
            span = self._free(request) if grant is None else grant.span
            releasing = grant is not None and grant.state is grants.GrantState.RELEASING
            if span is not None and not releasing and not (self.cautious and self._busy(span)):
                self.processes.append(Process(*key, pod.namespace, pod.name, span, request.resource))

    def _free(self, request: container_requests.ContainerRequest) -> spans.CoreSpan | None:
        taken = [*(grant.span for grant in self.heard), *(process.span for process in self.processes)]
        wanted = request.on(HARDWARE, placement.Rules())
        found = places.place(HARDWARE, taken, wanted, placement.Packing.BEST_FIT)
        return found if isinstance(found, spans.CoreSpan) else None

    def _busy(self, span: spans.CoreSpan) -> bool:
        return any(process.span.overlaps(span) for process in self.processes)


def _held(process: Process, *, nameless: bool) -> Manifest:
    return builders.held(
        str(process.span),
        process.pod,
        container=process.container,
        uid="" if nameless else process.uid,
        namespace=process.namespace,
        resource=process.resource,
    )


class Cluster:
    """The API objects and the machines."""

    def __init__(self, machines: Sequence[str], *, cautious: bool) -> None:
        self.now = START
        self.pods: dict[str, Manifest] = {}
        self.nodes: dict[str, Manifest] = {}
        self.neuron_nodes: dict[str, Manifest] = {}
        self.machines = {name: Machine(name, cautious) for name in machines}
        self.version = 0
        self._views: dict[str, Any] = {}  # by resourceVersion: every object is read once per version
        for name in machines:
            self.add_node(name)
            self.neuron_nodes[name] = self.touch(neuron_nodes.manifest(self.node(name), HARDWARE))

    # --- writes, with the API server's rules -----------------------------------------------------------------------

    def touch(self, manifest: Manifest) -> Manifest:
        """Return an object its next resourceVersion."""
        self.version += 1
        manifest["metadata"]["resourceVersion"] = str(self.version)
        return manifest

    def add_pod(self, manifest: Manifest) -> pods.PodView:
        """Store a pod."""
        self.pods[manifest["metadata"]["uid"]] = self.touch(manifest)
        return self.pod(manifest["metadata"]["uid"])

    def change_pod(self, uid: str, **status_or_spec: Mapping[str, Any]) -> None:
        """Merge fields into a pod's top-level parts."""
        changed = copy.deepcopy(self.pods[uid])
        for part, fields in status_or_spec.items():
            changed.setdefault(part, {}).update(fields)
        self.pods[uid] = self.touch(changed)

    def patch_pod(self, uid: str, operations: Iterable[Mapping[str, Any]]) -> None:
        """Apply a JSON patch; raises Refused when a test fails or the pod is gone."""
        if uid not in self.pods:
            raise Refused(uid)
        self.pods[uid] = self.touch(_patched(self.pods[uid], operations))

    def patch_status(self, pod: pods.PodView, patch: Mapping[str, Any]) -> None:
        """Merge a patch of a pod's status, conditions by type; raises Refused when the pod has changed."""
        current = self._current(patch["metadata"], pod.uid)
        changed = copy.deepcopy(current)
        changed["metadata"].setdefault("annotations", {}).update(patch["metadata"].get("annotations", {}))
        for condition in patch.get("status", {}).get("conditions", ()):
            others = [each for each in changed["status"].get("conditions", ()) if each["type"] != condition["type"]]
            changed["status"]["conditions"] = [*others, condition]
        self.pods[pod.uid] = self.touch(changed)

    def bind_pod(self, binding: Mapping[str, Any]) -> None:
        """Take a Binding; raises Refused when the pod is another one, has changed, or has a node."""
        uid = binding["metadata"]["uid"]
        current = self._current(binding["metadata"], uid)
        if current["spec"].get("nodeName") or current["spec"].get("schedulingGates"):
            raise Refused(uid)
        changed = copy.deepcopy(current)
        changed["metadata"].setdefault("annotations", {}).update(binding["metadata"]["annotations"])
        changed["spec"]["nodeName"] = binding["target"]["name"]
        self.pods[uid] = self.touch(changed)

    def _current(self, metadata: Mapping[str, Any], uid: str) -> Manifest:
        current = self.pods.get(uid)
        if current is None or current["metadata"]["resourceVersion"] != metadata["resourceVersion"]:
            raise Refused(uid)
        return current

    def write_ledger(self, write: plans.LedgerWrite) -> None:
        """Store a ledger by compare-and-swap; raises Refused when somebody wrote before."""
        current = self.neuron_nodes.get(write.node)
        if current is None or current["metadata"]["resourceVersion"] != write.resource_version:
            raise Refused(write.node)
        view = self.neuron_node(write.node)
        assert view.ledger is not None
        _check_steps(view.ledger, write.ledger)
        patch = neuron_nodes.spec_patch(view, write.ledger)
        self.neuron_nodes[write.node] = self.touch({**current, "spec": {**current["spec"], **patch["spec"]}})

    def add_neuron_node(self, creation: standings.Creation) -> None:
        """Store a NeuronNode; raises Refused when there is one."""
        if creation.node.name in self.neuron_nodes:
            raise Refused(creation.node.name)
        self.neuron_nodes[creation.node.name] = self.touch(creation.manifest(names.NODE_NUMBERING))

    def remove_neuron_node(self, removal: standings.Removal) -> None:
        """Delete a NeuronNode; raises Refused when it is gone or somebody wrote it before."""
        current = self.neuron_nodes.get(removal.name)
        if current is None or current["metadata"]["resourceVersion"] != removal.resource_version:
            raise Refused(removal.name)
        del self.neuron_nodes[removal.name]

    def write_status(self, name: str) -> None:
        """Let the plugin of a machine report."""
        current = self.neuron_nodes.get(name)
        if current is not None and name in self.nodes:
            self.neuron_nodes[name] = self.touch({**current, "status": self.machines[name].report()})

    # --- nodes -----------------------------------------------------------------------------------------------------

    def add_node(self, name: str) -> None:
        """Join a node, under a new UID each time."""
        uid = f"uid-{name}-{self.version}"
        node = builders.make_node(name, cores=HARDWARE.cores, devices=HARDWARE.devices, labels=LABELS, uid=uid)
        self.nodes[name] = self.touch(node)

    def remove_node(self, name: str, *, switch_off: bool) -> None:
        """Delete a Node and, as its garbage collector would, the pods bound to it.

        The machine is switched off or runs on, unseen.
        """
        del self.nodes[name]
        for uid in [uid for uid, pod in self.pods.items() if pod["spec"].get("nodeName") == name]:
            del self.pods[uid]
        if switch_off:
            self.machines[name].processes = []

    def change_node(self, name: str, **fields: Any) -> None:
        """Rebuild a Node with other builder arguments."""
        uid = self.nodes[name]["metadata"]["uid"]
        defaults: dict[str, Any] = {"cores": HARDWARE.cores, "devices": HARDWARE.devices, "labels": LABELS}
        self.nodes[name] = self.touch(builders.make_node(name, uid=uid, **(defaults | fields)))

    # --- views -----------------------------------------------------------------------------------------------------

    def pod(self, uid: str) -> pods.PodView:
        """Return a pod as it is now."""
        return self._view(self.pods[uid], pods.read)

    def node(self, name: str) -> nodes.NodeView:
        """Return a node as it is now."""
        return self._view(self.nodes[name], nodes.read)

    def neuron_node(self, name: str) -> neuron_nodes.NeuronNodeView:
        """Return a NeuronNode as it is now."""
        return self._view(self.neuron_nodes[name], neuron_nodes.read)

    def _view(self, manifest: Manifest, read: Callable[[Manifest], View]) -> View:
        version = manifest["metadata"]["resourceVersion"]
        if version not in self._views:
            self._views[version] = read(manifest)
        view: View = self._views[version]
        return view

    def views(self) -> list[pods.PodView]:
        """Return all pods as they are now, in a fixed order."""
        return [self.pod(uid) for uid in sorted(self.pods)]

    def ledger(self, name: str) -> ledger.Ledger:
        """Return the stored ledger of a node."""
        stored = self.neuron_node(name).ledger
        assert stored is not None
        return stored

    def hear(self, name: str) -> None:
        """Let a machine's plugin see the ledger as it is now."""
        if name in self.neuron_nodes:
            self.machines[name].heard = self.ledger(name).grants

    def bind(self, pod: pods.PodView) -> None:
        """Do as another scheduler does with a guest that is pinned to a node: bind it when the node takes pods."""
        name = pod.constraints.node_selector.get(names.HOSTNAME_LABEL, "")
        if pod.unplaced or pod.node_name or pod.deleted or pod.terminal:
            return
        if name in self.nodes and self._takes_pods(self.node(name)):
            self.change_pod(pod.uid, spec={"nodeName": name})
            return
        refusal = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"}
        self.change_pod(pod.uid, status={"conditions": [refusal]})

    @staticmethod
    def _takes_pods(node: nodes.NodeView) -> bool:
        return node.ready and not node.unschedulable and node.allocatable.get(names.CORE_RESOURCE, 0) > 0

    def start(self, pod: pods.PodView) -> None:
        """Let kubelet start a bound pod; a plugin that knows no grant of it reads the ledger once more."""
        machine = self.machines[pod.node_name]
        if all(grant.pod_uid != pod.uid for grant in machine.heard):
            self.hear(machine.name)
        machine.start(pod)

    def reap(self, machine: Machine) -> None:
        """End processes of pods that are gone or being deleted; then those pods go, as kubelet would have it."""
        for uid in {process.uid for process in machine.processes}:
            if uid not in self.pods or self.pod(uid).deleted:
                machine.end(uid)
        for pod in self.views():
            if pod.deleted and pod.node_name in {"", machine.name}:
                self.remove_pod(pod.uid)

    def budget(self) -> budgets.Budget:
        """Return the disruption budget as it is counted now."""
        living = (pod for pod in self.views() if not (pod.deleted or pod.terminal))
        guarded = sum(pod.labels.items() >= GUARDED.items() for pod in living)
        allowed = max(0, guarded - LEAST_GUARDED)
        return budgets.read(builders.make_budget(allowed=allowed, labels=GUARDED))

    def evict(self, uid: str) -> None:
        """Let a pod end; raises Refused when there is none, or when its budget forbids it."""
        if uid not in self.pods:
            raise Refused(uid)
        pod, budget = self.pod(uid), self.budget()
        if budget.covers(pod) and not (pod.deleted or budget.allowed):
            raise Refused(uid)
        self.change_pod(uid, metadata={"deletionTimestamp": builders.CREATED})

    def remove_pod(self, uid: str) -> None:
        """Take a pod object away, whatever its processes do."""
        self.pods.pop(uid, None)


def _check_steps(before: ledger.Ledger, after: ledger.Ledger) -> None:
    """The transition rules of the CRD: the operator must never even try to break one."""
    new = {grant.key: grant for grant in after.grants}
    for grant in before.grants:
        changed = new.get(grant.key)
        if changed is None:
            assert grant.state is not grants.GrantState.CONFIRMED, f"{grant} was dropped while Confirmed"
            continue
        assert changed.span.count == grant.span.count, f"{grant} changed its size"
        assert changed.state in grants.TRANSITIONS[grant.state] | {grant.state}, f"{grant} became {changed.state}"
        if grant.state is grants.GrantState.RELEASING:
            assert changed.span == grant.span, f"{grant} moved while Releasing"


def _patched(manifest: Manifest, operations: Iterable[Mapping[str, Any]]) -> Manifest:
    """Apply the three JSON patch operations that the operator uses."""
    changed = copy.deepcopy(manifest)
    for operation in operations:
        *parents, last = [key.replace("~1", "/").replace("~0", "~") for key in operation["path"].split("/")[1:]]
        try:
            target: Any = changed
            for key in parents:
                target = target[int(key) if isinstance(target, list) else key]
            if operation["op"] == "add":
                target[last] = operation["value"]
            elif operation["op"] == "remove":
                del target[int(last) if isinstance(target, list) else last]
            elif target[last] != operation["value"]:
                raise Refused(operation["path"])
        except (KeyError, IndexError) as error:
            raise Refused(operation["path"]) from error
    return changed


def annotated(pod: pods.PodView) -> Mapping[str, str]:
    """Return the containers' cores by a pod's grant annotation."""
    content = json.loads(pod.grant_annotation or '{"containers": {}}')
    containers: Mapping[str, str] = content["containers"]
    return containers
