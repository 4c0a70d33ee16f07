"""``kubectl neuron``: the core map, and why a pod waits. Reads the cluster, writes nothing.

The reason is the planner's own: what was just read becomes a snapshot as the operator makes it, and is planned on.
"""

import asyncio
import dataclasses
import datetime as dt
import pathlib
from collections.abc import Mapping
from typing import Any, Final

import click
from rich import console

import neuronspan
from neuronspan_agent import calls, errors, kube, resources
from neuronspan_operator.cli import core_map, kubeconfigs, standing
from neuronspan_operator.cluster import storage_caches
from neuronspan_operator.objects import budgets, nodes, pods, pools
from neuronspan_operator.objects.constraints import pod_terms, storage
from neuronspan_operator.planning import plans, snapshot

_PAGE = 500
"""Objects per list call, as the API server's own clients ask for."""
_SVG_WIDTH = 120
_DEFAULT_NAMESPACE = "default"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """What the commands need of a cluster, read once."""

    snapshot: plans.Snapshot

    def pod(self, namespace: str, name: str) -> pods.PodView:
        """Return a pod; raises click.ClickException when there is none of this name."""
        for pod in self.snapshot.pods.values():
            if (pod.namespace, pod.name) == (namespace, name):
                return pod
        raise click.ClickException(
            f"no pod {name} in namespace {namespace}: give its namespace with -n, or see `kubectl get pods -A`"
        )

    def map_nodes(self) -> list[core_map.MappedNode]:
        """Return the nodes as the map draws them."""
        return [
            core_map.MappedNode(view.name, view.hardware, view.ledger, view.unhealthy)
            for view in self.snapshot.neuron_nodes.values()
            if view.hardware is not None and view.ledger is not None
        ]


async def _everything(client: calls.Lists, resource: resources.Resource) -> list[Mapping[str, Any]]:
    """List a collection page by page."""
    found: list[Mapping[str, Any]] = []
    continuation = ""
    while True:
        page = await client.list_page(resource, resources.EVERYTHING, limit=_PAGE, continuation=continuation)
        found += page["items"]
        continuation = page["metadata"].get("continue", "")
        if not continuation:
            return found


async def read_cluster(client: calls.Lists) -> Cluster:
    """Read pods, nodes, namespaces, NeuronNodes, NeuronPools and all about volumes."""
    members = [pools.read_member(item) for item in await _everything(client, resources.NEURON_NODES)]
    by_name = {member.view.name: member for member in members}
    known_pools = {pool.name: pool for pool in map(pools.read, await _everything(client, resources.NEURON_POOLS))}
    known_pods = {pod.uid: pod for pod in map(pods.read, await _everything(client, resources.PODS))}
    known_nodes = {node.name: node for node in map(nodes.read, await _everything(client, resources.NODES))}
    of_namespaces = {
        resources.name_of(item): pod_terms.namespace_labels(item)
        for item in await _everything(client, resources.NAMESPACES)
    }
    return Cluster(
        snapshot.of(
            known_pods,
            known_nodes,
            by_name,
            known_pools,
            namespaces=of_namespaces,
            stored=await _storage(client),
            known_budgets=await _budgets(client),
        )
    )


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


@dataclasses.dataclass(frozen=True)
class Connection:
    """What the user said about the cluster to look at; what is empty the kubeconfig says."""

    kubeconfig: str
    context: str = ""

    def meant(self) -> kubeconfigs.Context:
        """Return the context that is meant; raises click.ClickException when the kubeconfig cannot tell."""
        try:
            return kubeconfigs.read(self.kubeconfig, self.context)
        except errors.AgentError as error:
            raise click.ClickException(str(error)) from error


def read(connection: Connection) -> Cluster:
    """Read the cluster of a connection; raises click.ClickException with what to do about it."""
    try:
        return asyncio.run(_connect_and_read(connection))
    except errors.NotFound as error:
        raise click.ClickException("the cluster knows no NeuronNodes: install the chart first") from error
    except errors.AgentError as error:
        raise click.ClickException(str(error)) from error


async def _connect_and_read(connection: Connection) -> Cluster:
    context = connection.meant().name
    async with await kube.connect("kubectl-neuron", connection.kubeconfig, context=context) as client:
        return await read_cluster(client)


_KUBECONFIG: Final = click.option(
    "--kubeconfig",
    envvar="KUBECONFIG",
    default=lambda: str(pathlib.Path.home() / ".kube" / "config"),
    help="kubeconfig files; default $KUBECONFIG, then ~/.kube/config",
)
_CONTEXT: Final = click.option("--context", default="", help="the kubeconfig's context to use; default its current one")
_OWN_KUBECONFIG: Final = click.option("--kubeconfig", help="the same, behind the command")
_OWN_CONTEXT: Final = click.option("--context", help="the same, behind the command")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@_KUBECONFIG
@_CONTEXT
@click.version_option(neuronspan.__version__, prog_name="kubectl neuron")
@click.pass_context
def main(click_context: click.Context, kubeconfig: str, context: str) -> None:
    """Look at NeuronCores: who has which, and why a pod waits."""
    click_context.obj = Connection(kubeconfig, context)


def _chosen(before: Connection, kubeconfig: str | None, context: str | None) -> Connection:
    """Return the connection: what stands behind a command counts; kubectl's flags may be anywhere, too."""
    return Connection(kubeconfig or before.kubeconfig, before.context if context is None else context)


@main.command("map")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="also write the map as an SVG")
@_OWN_KUBECONFIG
@_OWN_CONTEXT
@click.pass_obj
def show_map(before: Connection, svg: pathlib.Path | None, kubeconfig: str | None, context: str | None) -> None:
    """Draw every node, device and core with its owner."""
    found = read(_chosen(before, kubeconfig, context)).map_nodes()
    if not found:
        raise click.ClickException(
            "no NeuronNode has a hardware profile: is a NeuronPool's nodeSelector matching a node? "
            "`kubectl get neuronpools` shows how many nodes each has"
        )
    picture = core_map.render(found)
    console.Console().print(picture)
    if svg is not None:
        svg.write_text(core_map.to_svg(picture, width=_SVG_WIDTH), encoding="utf-8")


@main.command()
@click.argument("pod")
@click.option("-n", "--namespace", help="the pod's namespace; default the context's, then default")
@_OWN_KUBECONFIG
@_OWN_CONTEXT
@click.pass_obj
def explain(before: Connection, pod: str, namespace: str | None, kubeconfig: str | None, context: str | None) -> None:
    """Say which cores POD has, or why it has none and what would make it fit."""
    connection = _chosen(before, kubeconfig, context)
    meant = namespace or connection.meant().namespace or _DEFAULT_NAMESPACE
    cluster = read(connection)
    click.echo(standing.of(cluster.snapshot, cluster.pod(meant, pod), dt.datetime.now(dt.UTC)))
