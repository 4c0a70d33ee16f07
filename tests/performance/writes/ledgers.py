"""Ledger writes as the operator makes them: one grant comes and goes on a node with this many others."""

from collections.abc import Callable, Mapping

from kits.api_server import admission as admission_kit
from kits.manifests import domain
from neuronspan import grants, instance_types, ledger
from neuronspan_operator.objects import neuron_nodes, nodes
from performance.writes import turns

NODES: Mapping[int, str] = {0: "trn1.32xlarge", 31: "trn1.32xlarge", 127: "trn2.48xlarge"}
"""How many other grants, and the node that they fill but for one core."""
_REGISTERED = {"type": "Registered", "status": "True", "reason": "Played", "lastTransitionTime": domain.SINCE}


def calls(admission: admission_kit.Admission) -> Mapping[str, Callable[[int], turns.Call]]:
    """Create the nodes, registered and filled, and return the write on each, by its number of grants."""
    return {str(count): _writes(admission, count, instance_type) for count, instance_type in NODES.items()}


def _writes(admission: admission_kit.Admission, count: int, instance_type: str) -> Callable[[int], turns.Call]:
    hardware = instance_types.hardware_of(instance_type, 1)
    path = f"{admission_kit.NEURON_NODES}/full-{count}"
    manifest = neuron_nodes.manifest(nodes.NodeView(name=f"full-{count}"), hardware)
    admission.operator.create(admission_kit.NEURON_NODES, manifest)
    cores = [{"index": index, "healthy": True} for index in range(hardware.cores)]
    with admission.plugin(f"full-{count}") as plugin:
        status = {"epoch": "1", "hardware": hardware.to_dict(), "cores": cores, "conditions": [_REGISTERED]}
        plugin.patch(f"{path}/status", {"status": status})
    held = [_grant(index, grants.GrantState.CONFIRMED) for index in range(count)]
    granted = _grant(count, grants.GrantState.GRANTED)
    books = [ledger.Ledger(hardware.cores, tuple(entries)) for entries in (held, [*held, granted])]

    def prepared(number: int) -> turns.Call:
        view = neuron_nodes.read(admission.admin.get(path))
        return lambda: admission.operator.patch(path, neuron_nodes.spec_patch(view, books[number % 2]))

    return prepared


def _grant(index: int, state: grants.GrantState) -> grants.Grant:
    uid = f"6f1c2a10-0000-4000-8000-{index:012}"
    return domain.grant(str(index), pod=f"training-{index:05}-abcde", pod_uid=uid, state=state)
