"""Makes the Snapshot that is planned on from what was read of the cluster. Pure.

Law: whoever plans, the operator or ``kubectl neuron``, plans on a snapshot made here, so that both come to the same
answer.
"""

import dataclasses
from collections.abc import Mapping

from neuronspan_operator.objects import nodes, pods, pools
from neuronspan_operator.planning import plans


def of(
    known_pods: Mapping[str, pods.PodView],
    known_nodes: Mapping[str, nodes.NodeView],
    members: Mapping[str, pools.Member],
    known_pools: Mapping[str, pools.PoolView],
    gone: frozenset[str] = frozenset(),
) -> plans.Snapshot:
    """Return what planning reads; pods are keyed by UID, all else by name; ``gone`` are UIDs of pods that ended.

    Nodes of a pool that is being deleted count as cordoned, so that they run empty.
    """
    draining = {name for name, member in members.items() if _is_draining(known_pools.get(member.pool))}
    return plans.Snapshot(
        pods=known_pods,
        nodes={
            name: dataclasses.replace(node, unschedulable=True) if name in draining else node
            for name, node in known_nodes.items()
        },
        neuron_nodes={name: member.view for name, member in members.items()},
        policies=pools.policies(known_pools, members),
        gone=gone,
    )


def _is_draining(pool: pools.PoolView | None) -> bool:
    return pool is not None and pool.deleted


def mentioned(snapshot: plans.Snapshot) -> set[str]:
    """Return the UIDs of all pods that a ledger or a plugin names."""
    found: set[str] = set()
    for view in snapshot.neuron_nodes.values():
        found |= {grant.pod_uid for grant in (() if view.ledger is None else view.ledger.grants)}
        found |= {held.pod_uid for held in view.held}
    return found
