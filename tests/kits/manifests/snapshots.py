"""Short ways to plan on manifests: what the planner reads, and how to read its answer."""

import dataclasses
import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from kits.manifests import builders
from neuronspan import grants
from neuronspan_operator.objects import neuron_nodes, nodes, pods, pools
from neuronspan_operator.planning import planner, plans
from neuronspan_operator.planning import snapshot as snapshots  # this module's own name is free inside it

NOW = dt.datetime(2026, 1, 31, 10, 0, tzinfo=dt.UTC)  # an hour after the times that the builders use

Manifest = Mapping[str, Any]


def snapshot(
    pod_list: Iterable[Manifest] = (),
    node_list: Iterable[Manifest] | None = None,
    neuron_node_list: Iterable[Manifest] | None = None,
    policy: pools.Policy | None = None,
    unknown: Collection[str] = (),
    **fields: Any,
) -> plans.Snapshot:
    """Return a snapshot of these manifests; by default of the one empty node w1.

    A pod that is missing here, and that a ledger or a plugin names, is gone, but for those of ``unknown`` UID.
    """
    node_views = [nodes.read(each) for each in ([builders.make_node()] if node_list is None else node_list)]
    members = [builders.make_neuron_node()] if neuron_node_list is None else neuron_node_list
    neuron_node_views = [neuron_nodes.read(each) for each in members]
    pod_views = [pods.read(each) for each in pod_list]
    known = plans.Snapshot(
        pods={pod.uid: pod for pod in pod_views},
        nodes={node.name: node for node in node_views},
        neuron_nodes={node.name: node for node in neuron_node_views},
        policies={} if policy is None else {node.name: policy for node in neuron_node_views},
        **fields,
    )
    return dataclasses.replace(known, gone=frozenset(snapshots.mentioned(known) - known.pods.keys() - {*unknown}))


def plan(
    pod_list: Iterable[Manifest] = (),
    node_list: Iterable[Manifest] | None = None,
    neuron_node_list: Iterable[Manifest] | None = None,
    policy: pools.Policy | None = None,
    now: dt.datetime = NOW,
    unknown: Collection[str] = (),
    **fields: Any,
) -> plans.Plan:
    """Plan on these manifests; ``fields`` are further ones of the snapshot."""
    return planner.plan(snapshot(pod_list, node_list, neuron_node_list, policy, unknown, **fields), now)


def written(found: plans.Plan, node: str = "w1") -> dict[str, str] | None:
    """Return the ledger that the plan writes for a node: "pod/container" to "cores state"; None without a write."""
    for write in found.ledgers:
        if write.node == node:
            return {f"{each.pod}/{each.container}": f"{each.span} {each.state}" for each in write.ledger.grants}
    return None


def let_go(found: plans.Plan) -> dict[str, str]:
    """Return what the plan binds, and which guests it lets go: pod to "node container=cores ..."."""
    return {
        each.pod.name: " ".join([each.node, *(f"{name}={span}" for name, span in sorted(each.spans.items()))])
        for each in found.departures
    }


def state_of(found: plans.Plan, pod: str, node: str = "w1") -> grants.GrantState:
    """Return the state of a pod's grant in the ledger that the plan writes."""
    return next(
        each.state for write in found.ledgers if write.node == node for each in write.ledger.grants if each.pod == pod
    )


def ago(seconds: float) -> str:
    """Return the moment so long before NOW, as grants have it."""
    return (NOW - dt.timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
