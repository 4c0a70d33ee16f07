"""`neuronspan try`: runs manifests on an embedded cluster and shows what became of them."""

import asyncio
import contextlib
import datetime as dt
import importlib.util
import pathlib
import sys
import time
from collections.abc import Iterable, Sequence

import click
from rich import console

from neuronspan_agent import settings
from neuronspan_embedded import reasons
from neuronspan_embedded.api_server.rules import refusals
from neuronspan_embedded.command import asked, directories, ending, manifests, package_files, sightings, watching
from neuronspan_embedded.command import cluster as clusters
from neuronspan_embedded.controllers import limits
from neuronspan_operator.cli import core_map, reading, standing

_LOOK_SECONDS = 0.2
_REST_SECONDS = 2.5
"""How long nothing moves before nothing will: a free place is given, a pod held back tried again, sooner."""
_NODE_SECONDS = 60.0
_REGISTERED = "Registered"
_PATH = click.Path(exists=True, allow_dash=True, path_type=pathlib.Path)


class Trial:
    """One run of the command."""

    def __init__(
        self, types: Sequence[str], wanted: Sequence[manifests.Manifest], reports: int, seconds: float
    ) -> None:
        self._types = types
        self._wanted = wanted
        self._reports = reports
        self._seconds = seconds
        self._screen = console.Console(width=None if sys.stdout.isatty() else 120, soft_wrap=False)
        self._began = time.monotonic()
        self._problems: list[str] = []

    def say(self, text: str) -> None:
        """Print one line with the seconds since the start."""
        self._screen.print(
            f"{time.monotonic() - self._began:6.1f} s  {text}", markup=False, highlight=False, soft_wrap=True
        )

    async def run(self, *, keep: bool) -> int:
        """Run everything; return the exit status."""
        end = ending.Ending()
        with end.by_signals():
            try:
                with directories.own(settings.from_process()) as root:
                    await self._run(root, keep=keep)
            except asyncio.CancelledError:
                if not end.code:
                    raise
                self.say("ended by a signal, nothing is left behind")
                return end.code
            except directories.NoDirectory as error:
                raise click.ClickException(str(error)) from error
        self._summary()
        return 1 if self._problems else 0

    async def _run(self, root: pathlib.Path, *, keep: bool) -> None:
        if manifests.needs_runtime(self._wanted):
            await self._build_library(root)
        self.say("starting API server, controllers, operator, and the plugin of each node")
        async with clusters.running(root, self._types, self.say) as cluster:
            await self._nodes(cluster)
            self._apply(cluster)
            watcher = watching.Watcher(cluster)
            await self._follow(watcher)
            await self._show(cluster, watcher.reports())
            self._check(cluster, watcher.reports())
            if keep:
                await self._stay(cluster, watcher)

    async def _build_library(self, root: pathlib.Path) -> None:
        """Have the runtime's C++ library ready before any model asks for it."""
        if importlib.util.find_spec("torch") is None:
            self.say("torch is not installed: containers of the runtime's image cannot run models")
            return
        self.say("looking for the runtime's C++ library; it is built once for each torch, in about a minute")
        if problem := await clusters.build_library(root):
            self._problems.append(f"the runtime's C++ library cannot be built, so no model can run: {problem}")
            self.say(self._problems[-1])

    async def _nodes(self, cluster: clusters.Cluster) -> None:
        end = time.monotonic() + _NODE_SECONDS
        while sum(map(_is_registered, cluster.neuron_nodes())) < len(self._types):
            if time.monotonic() > end:
                log = (cluster.directory / "logs" / "operator.log").read_text(errors="replace")
                message = f"the nodes did not register their NeuronCores; the operator's last lines:\n{log[-2000:]}"
                raise click.ClickException(message)
            await asyncio.sleep(_LOOK_SECONDS)
        for number, each in enumerate(self._types, 1):
            self.say(f"node w{number} is a {each}")

    def _apply(self, cluster: clusters.Cluster) -> None:
        for each in self._wanted:
            name = f"{each['kind']} {each['metadata'].get('name') or each['metadata'].get('generateName') or ''}"
            try:
                cluster.add(each)
            except (refusals.Refusal, clusters.NotServed) as error:
                reason = reasons.ManifestReason
                code = reason.REFUSED if isinstance(error, refusals.Refusal) else reason.KIND_NOT_SERVED
                self._problems.append(f"{name} is refused: {error} ({code})")
                self.say(self._problems[-1])
                continue
            self.say(f"{name} created")
            for sentence in limits.of(each):
                self.say(f"{sentence} ({reasons.ManifestReason.NOT_CARRIED_OUT})")

    async def _follow(self, watcher: watching.Watcher) -> None:
        """Print what happens until all that is expected has, or the time is over."""
        moved = time.monotonic()
        end = moved + self._seconds
        while (now := time.monotonic()) < end:
            news = list(watcher.news())
            for line in news:
                self.say(line)
            pods = watcher.cluster.pods()
            if self._reports:
                if len(watcher.reports()) >= self._reports and all(map(watching.is_settled, pods)):
                    break
            elif news or not all(watching.is_over(each) or watching.waits(each) for each in pods):
                moved = now
            elif now - moved >= _REST_SECONDS:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        for line in watcher.news():
            self.say(line)
        if len(watcher.reports()) < self._reports:
            self._problems.append(f"{len(watcher.reports())} of {self._reports} containers have run their models")

    async def _show(self, cluster: clusters.Cluster, found: sightings.Reports) -> None:
        known = await reading.read_cluster(cluster.client)
        if found:
            self._screen.print(sightings.report_table({key: each for key, each in found.items() if "model" in each}))
        self._screen.print(core_map.render(core_map.mapped(known.neuron_nodes.values())))
        for pod in cluster.pods():
            if not pod["spec"].get("nodeName") and watching.waits(pod):
                view = known.pods[pod["metadata"]["uid"]]
                told = standing.of(known, view, dt.datetime.now(dt.UTC))
                self._screen.print(told, markup=False, highlight=False)

    def _check(self, cluster: clusters.Cluster, found: sightings.Reports) -> None:
        pods = cluster.pods()
        over = {each["metadata"]["name"] for each in pods if watching.is_over(each)}
        owned = {key: each for key, each in found.items() if "owned" in each}
        wrong = [*sightings.disagreements(owned, cluster.neuron_nodes(), over)]
        self._problems += [*wrong, *filter(None, map(watching.failure, pods))]
        if owned and not wrong:
            self.say(f"✓ {len(owned)} containers owned exactly the cores that the ledger grants them")

    async def _stay(self, cluster: clusters.Cluster, watcher: watching.Watcher) -> None:
        self.say("the cluster runs until Ctrl-C; kubectl and `kubectl neuron` reach it by")
        self.say(f"  export KUBECONFIG={cluster.kubeconfig}")
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                for line in watcher.news():
                    self.say(line)
                await asyncio.sleep(_LOOK_SECONDS)

    def _summary(self) -> None:
        for each in self._problems:
            self.say(f"✗ {each}")
        count = len(self._problems)
        self.say(f"ended with {count} problem{'s' if count > 1 else ''}" if count else "ended, nothing is left behind")


def _is_registered(neuron_node: manifests.Manifest) -> bool:
    conditions = (neuron_node.get("status") or {}).get("conditions") or ()
    return any((each["type"], each["status"]) == (_REGISTERED, "True") for each in conditions)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Contiguous, exclusive NeuronCores for every pod, without a Neuron device."""


@main.command("try")
@click.argument("paths", nargs=-1, type=_PATH, metavar="[MANIFEST]...")
@click.option("--nodes", default="trn1.32xlarge,inf2.48xlarge", show_default=True, help="instance types, with =COUNT")
@click.option("--keep", is_flag=True, help="leave the cluster running until Ctrl-C, with a KUBECONFIG")
@click.option("--seconds", type=float, help="how long pods are followed; default 180, 30 with manifests of your own")
def try_(paths: Iterable[pathlib.Path], nodes: str, keep: bool, seconds: float | None) -> None:
    """Run MANIFESTs (files, directories, - for standard input), or the six examples, on a cluster of its own.

    The cluster lives as long as this command: no root, no containers, nothing is left behind.
    """
    given = list(paths)
    wanted = [each for path in given or [package_files.examples()] for each in manifests.load(path)]
    trial = Trial(asked.nodes(nodes), wanted, 0 if given else sightings.WANTED, seconds or (30.0 if given else 180.0))
    sys.exit(asyncio.run(trial.run(keep=keep)))
