"""Reads of a cluster what the commands need: all of it, or what a user may see who may not see all of it.

Law: what is read becomes what the operator makes of it, by the operator's own functions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from neuronspan_agent import calls, errors, resources
from neuronspan_operator.cluster import storage_caches
from neuronspan_operator.objects import budgets, nodes, pods, pools
from neuronspan_operator.objects.constraints import pod_terms, storage
from neuronspan_operator.planning import plans, snapshot

_PAGE = 500
"""Objects per list call, as the API server's own clients ask for."""


async def _everything(
    client: calls.Lists, resource: resources.Resource, selector: resources.Selector = resources.EVERYTHING
) -> list[Mapping[str, Any]]:
    """List a collection page by page."""
    found: list[Mapping[str, Any]] = []
    continuation = ""
    while True:
        page = await client.list_page(resource, selector, limit=_PAGE, continuation=continuation)
        found += page["items"]
        continuation = page["metadata"].get("continue", "")
        if not continuation:
            return found


async def read_cluster(client: calls.Lists) -> plans.Snapshot:
    """Read pods, nodes, namespaces, NeuronNodes, NeuronPools and all about volumes; raises Forbidden."""
    members = [pools.read_member(item) for item in await _everything(client, resources.NEURON_NODES)]
    by_name = {member.view.name: member for member in members}
    known_pools = {pool.name: pool for pool in map(pools.read, await _everything(client, resources.NEURON_POOLS))}
    known_pods = {pod.uid: pod for pod in map(pods.read, await _everything(client, resources.PODS))}
    known_nodes = {node.name: node for node in map(nodes.read, await _everything(client, resources.NODES))}
    of_namespaces = {
        resources.name_of(item): pod_terms.namespace_labels(item)
        for item in await _everything(client, resources.NAMESPACES)
    }
    return snapshot.of(
        known_pods,
        known_nodes,
        by_name,
        known_pools,
        namespaces=of_namespaces,
        stored=await _storage(client),
        known_budgets=await _budgets(client),
    )


async def read_neuron_nodes(client: calls.Lists) -> Sequence[pools.Member]:
    """Read NeuronNodes alone; raises Forbidden."""
    return [pools.read_member(item) for item in await _everything(client, resources.NEURON_NODES)]


async def read_pods(client: calls.Lists, namespace: str) -> Sequence[pods.PodView]:
    """Read the pods of one namespace; raises Forbidden."""
    within = resources.Selector(namespace=namespace)
    return [pods.read(item) for item in await _everything(client, resources.PODS, within)]


async def read_pod(client: calls.Gets, namespace: str, name: str) -> pods.PodView:
    """Read one pod; raises Forbidden, and NotFound."""
    return pods.read(await client.get(resources.PODS, name, namespace))


async def read_events(client: calls.Lists, pod: pods.PodView) -> Sequence[Mapping[str, Any]]:
    """Read the Events of a pod, none if this user may not."""
    about = resources.Selector(fields=f"involvedObject.uid={pod.uid}", namespace=pod.namespace)
    try:
        return await _everything(client, resources.EVENTS, about)
    except errors.Forbidden:
        return []


async def _budgets(client: calls.Lists) -> Mapping[str, budgets.Budget]:
    """Read the disruption budgets, if this user may."""
    try:
        found = await _everything(client, resources.BUDGETS)
    except (errors.Forbidden, errors.NotFound):
        return {}
    return {resources.full_name(item): budgets.read(item) for item in found}


async def _storage(client: calls.Lists) -> storage.Storage:
    """Read all about volumes that this user may read."""
    known: dict[str, Any] = {}
    unread: list[str] = []
    for kind in storage_caches.KINDS:
        try:
            found = await _everything(client, kind.resource)
        except (errors.Forbidden, errors.NotFound):
            unread.append(str(kind.resource))
        else:
            known[kind.field] = {kind.key_of(item): kind.read(item) for item in found}
    return storage.Storage(**known, unread=tuple(sorted(unread)))
