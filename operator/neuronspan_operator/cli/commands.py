"""``kubectl neuron``: the core map, and why a pod waits. Reads the cluster, writes nothing.

The reason is the planner's own: what was just read becomes a snapshot as the operator makes it, and is planned on. Who
may not see the cluster is told what pods say of themselves.
"""

import asyncio
import datetime as dt
import pathlib
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import click
from rich import console

import neuronspan
from neuronspan_agent import errors, kube, settings
from neuronspan_agent.connecting import targets
from neuronspan_operator.cli import core_map, flags, own_words, reading, standing
from neuronspan_operator.objects import pods, pools
from neuronspan_operator.planning import plans

T = TypeVar("T")

PROGRAM = "kubectl-neuron"
_SVG_WIDTH = 120


class _Command(click.Command):
    """Ends as kubectl does when a flag is wrong: with 1."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See click."""
        return _as_kubectl(lambda: super(_Command, self).parse_args(ctx, args))


class _Group(click.Group):
    """The same, for the flags before a command and the command's name."""

    command_class = _Command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See click."""
        return _as_kubectl(lambda: super(_Group, self).parse_args(ctx, args))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See click."""
        return _as_kubectl(lambda: super(_Group, self).resolve_command(ctx, args))


def _as_kubectl(work: Callable[[], T]) -> T:
    try:
        return work()
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        raise _Misused(error.format_message(), error.ctx) from error


class _Misused(click.UsageError):
    exit_code = 1


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@flags.kubectls
@click.version_option(neuronspan.__version__, prog_name="kubectl neuron")
@click.pass_context
def main(click_context: click.Context, /, **said: Any) -> None:
    """Look at NeuronCores: who has which, and why a pod waits."""
    click_context.obj = flags.Flags().behind(said)


@main.command("map")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="also write the map as an SVG")
@flags.kubectls
@click.pass_obj
def show_map(before: flags.Flags, /, svg: pathlib.Path | None, **said: Any) -> None:
    """Draw every node, device and core with its owner."""
    found = _asked(before.behind(said), _mapped)
    if isinstance(found, str):
        click.echo(found)
        return
    picture = core_map.render(_drawn(found))
    console.Console().print(picture)
    if svg is not None:
        svg.write_text(core_map.to_svg(picture, width=_SVG_WIDTH), encoding="utf-8")


@main.command()
@click.argument("pod")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="the pods of this name in all namespaces")
@flags.kubectls
@click.pass_obj
def explain(before: flags.Flags, /, pod: str, *, everywhere: bool, **said: Any) -> None:
    """Say which cores POD has, or why it has none and what would make it fit."""

    async def explained(client: kube.Client, target: targets.Target) -> str:
        namespace = "" if everywhere else target.namespace or flags.DEFAULT_NAMESPACE
        try:
            found = await reading.read_cluster(client)
        except errors.Forbidden as error:
            if error.status != _FORBIDDEN or everywhere:
                raise
            return await _own_words(client, namespace, pod, error)
        now = dt.datetime.now(dt.UTC)
        return "\n".join(standing.of(found, each, now) for each in _named(found, namespace, pod))

    click.echo(_asked(before.behind(said), explained))


_FORBIDDEN = 403


def _asked(chosen: flags.Flags, question: Callable[[kube.Client, targets.Target], Awaitable[T]]) -> T:
    """Connect and ask; raises click.ClickException with what to do about whatever went wrong."""
    flags.show_calls(chosen)
    seconds = chosen.seconds()

    async def ask() -> T:
        target = chosen.target(settings.from_process())
        async with await kube.reach(PROGRAM, target, call_seconds=seconds) as client:
            return await question(client, target)

    try:
        return asyncio.run(ask())
    except errors.NotFound as error:
        raise click.ClickException("the cluster knows no NeuronNodes: install the chart first") from error
    except errors.AgentError as error:
        raise click.ClickException(str(error)) from error


async def _mapped(client: kube.Client, target: targets.Target) -> Sequence[pools.Member] | str:
    """Return the nodes, or what pods say where this user may not see nodes."""
    try:
        return await reading.read_neuron_nodes(client)
    except errors.Forbidden as error:
        if error.status != _FORBIDDEN:
            raise
        namespace = target.namespace or flags.DEFAULT_NAMESPACE
        asking = [each for each in await reading.read_pods(client, namespace) if each.requests or each.problems]
        said = [own_words.of(each, []) for each in sorted(asking, key=lambda each: each.name)]
        told = own_words.missing_right(str(error), f"the pods of namespace {namespace} say of themselves")
        return "\n".join([*(said or [f"no pod of namespace {namespace} asks for NeuronCores"]), told])


def _drawn(members: Iterable[pools.Member]) -> Sequence[core_map.MappedNode]:
    """Return the nodes as the map draws them; raises click.ClickException when there is none."""
    found = core_map.mapped(member.view for member in members)
    if not found:
        raise click.ClickException(
            "no NeuronNode has a hardware profile: is a NeuronPool's nodeSelector matching a node? "
            "`kubectl get neuronpools` shows how many nodes each has"
        )
    return found


def _named(found: plans.Snapshot, namespace: str, name: str) -> Iterator[pods.PodView]:
    """Yield the pods of this name, in all namespaces when none is given; raises click.ClickException without any."""
    meant = [each for each in found.pods.values() if each.name == name and namespace in {"", each.namespace}]
    if not meant:
        raise _no_pod(namespace, name)
    yield from sorted(meant, key=lambda each: each.namespace)


def _no_pod(namespace: str, name: str) -> click.ClickException:
    where = f"namespace {namespace}" if namespace else "any namespace"
    return click.ClickException(f"no pod {name} in {where}: give its namespace with -n, or see `kubectl get pods -A`")


async def _own_words(client: kube.Client, namespace: str, name: str, refusal: errors.Forbidden) -> str:
    try:
        pod = await reading.read_pod(client, namespace, name)
    except errors.NotFound as error:
        raise _no_pod(namespace, name) from error
    told = own_words.missing_right(str(refusal), "the pod says of itself")
    return f"{own_words.of(pod, await reading.read_events(client, pod))}\n{told}"


if __name__ == "__main__":
    sys.exit(main())
