"""Makes the Snapshot that is planned on from what was read of the cluster. Pure.

Law: whoever plans, the operator or ``kubectl neuron``, plans on a snapshot made here, so that both come to the same
answer.
"""

import dataclasses
import types
from collections.abc import Mapping
from typing import Final

from neuronspan_operator.objects import budgets, nodes, pods, pools
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.planning import plans

STARVATION_SECONDS: Final = 300.0
"""What the operator's setting is by default: after this time a pod that waits has a place kept."""
_NO_BUDGETS: Final[Mapping[str, budgets.Budget]] = types.MappingProxyType({})


def of(
    known_pods: Mapping[str, pods.PodView],
    known_nodes: Mapping[str, nodes.NodeView],
    members: Mapping[str, pools.Member],
    known_pools: Mapping[str, pools.PoolView],
    *,
    namespaces: Mapping[str, Mapping[str, str]],
    stored: storage.Storage,
    known_budgets: Mapping[str, budgets.Budget] = _NO_BUDGETS,
    gone: frozenset[str] = frozenset(),
    starvation_seconds: float = STARVATION_SECONDS,
) -> plans.Snapshot:
    """Return what planning reads; pods are keyed by UID, all else by name.

    ``namespaces`` are the labels of each, ``gone`` the UIDs of pods that ended, ``known_budgets`` are by namespace and
    name. Nodes of a pool that is being deleted take no more pods, so that they run empty.
    """
    pool_of = {name: known_pools.get(member.pool) for name, member in members.items()}
    return plans.Snapshot(
        pods=known_pods,
        nodes={name: drained(node, pool_of.get(name)) for name, node in known_nodes.items()},
        neuron_nodes={name: member.view for name, member in members.items()},
        policies=pools.policies(known_pools, members),
        storage=stored,
        gone=gone,
        namespaces=namespaces,
        budgets=known_budgets,
        starvation_seconds=starvation_seconds,
    )


def drained(node: nodes.NodeView, pool: pools.PoolView | None) -> nodes.NodeView:
    """Return the node as planning sees it, by what becomes of its pool."""
    draining = pool is not None and pool.deleted
    return dataclasses.replace(node, draining=True) if draining else node


def granted(snapshot: plans.Snapshot) -> set[str]:
    """Return the UIDs of all pods that have a grant."""
    books = (view.ledger for view in snapshot.neuron_nodes.values())
    return {grant.pod_uid for book in books if book is not None for grant in book.grants}


def mentioned(snapshot: plans.Snapshot) -> set[str]:
    """Return the UIDs of all pods that a ledger or a plugin names."""
    return granted(snapshot) | {held.pod_uid for view in snapshot.neuron_nodes.values() for held in view.held}
