"""Short ways to make the values that pools are decided on: NeuronPools, Nodes and NeuronNodes as they are read."""

import dataclasses
from typing import Any

from kits.manifests import builders
from neuronspan import grants, instance_types
from neuronspan_operator.objects import nodes, pools


def manifest(name: str = "a", **spec: Any) -> dict[str, Any]:
    """Return a NeuronPool of trn1.32xlarge that selects ``neuron=yes``."""
    default = {"nodeSelector": {"neuron": "yes"}, "hardware": {"instanceType": "trn1.32xlarge"}}
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "7", "generation": 3},
        "spec": default | spec,
    }


def pool(name: str = "a", *, deleted: bool = False, **spec: Any) -> pools.PoolView:
    """Return it as it is read."""
    return dataclasses.replace(pools.read(manifest(name, **spec)), deleted=deleted)


def node(name: str = "w1", **labels: str) -> nodes.NodeView:
    """Return a node, by default one that the pool selects."""
    return nodes.read(builders.make_node(name, labels=labels or {"neuron": "yes"}))


def asked(
    name: str = "w1",
    *,
    of: str = "a",
    given: str = "",
    found: str = "",
    complaint: str = "",
    entries: tuple[grants.Grant, ...] = (),
) -> pools.Member:
    """Return the NeuronNode of a node that is asked what it has: given this hardware, found to have that one."""
    raw = builders.make_neuron_node(name, entries, instance_type=given or builders.LARGE)
    raw["metadata"]["labels"] = {pools.POOL_LABEL: of}
    raw["spec"]["detect"] = {"instanceType": ""}
    if not given:
        raw["spec"] = {"detect": raw["spec"]["detect"]}
    raw["status"]["detected"] = instance_types.hardware_of(found).to_dict() if found else None
    raw["status"]["conditions"] += [{"type": "HardwareAccepted", "status": "False", "message": complaint}]
    return pools.read_member(raw)


def member(name: str = "w1", *, of: str = "a", entries: tuple[grants.Grant, ...] = (), **other: Any) -> pools.Member:
    """Return the NeuronNode of a pool's node; ``of=""``: made by hand."""
    raw = builders.make_neuron_node(name, entries, **other)
    raw["metadata"]["labels"] = {pools.POOL_LABEL: of} if of else {}
    return pools.read_member(raw)
