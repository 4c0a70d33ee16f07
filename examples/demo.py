"""The main job on a local cluster: install the chart, run every example, check the outcome from three sides.

`make demo` runs this after it has made the cluster and the images. Exit status 0 only when every pod did what its
README says.
"""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import sys
import time
from collections.abc import Callable, Sequence

import click.testing
from rich import console

from kits.release import cluster_access, helm_release, installation
from neuronspan_embedded.command import sightings
from neuronspan_operator.cli import commands, core_map, flags

EXAMPLES = pathlib.Path(__file__).resolve().parent
NAMESPACE = "neuronspan-examples"
SVG = EXAMPLES.parent / "core-map.svg"
screen = console.Console(width=None if sys.stdout.isatty() else 120, soft_wrap=False)


class DemoError(Exception):
    """The demo did not end as its README says."""


class Steps:
    """Say what is being done, and how long it has taken since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, text: str) -> None:
        """Print one step with the elapsed time in seconds."""
        screen.print(f"[bold cyan]{time.monotonic() - self._start:5.0f} s[/]  {text}")


def reports(cluster: cluster_access.Cluster) -> sightings.Reports:
    """Collect what the pods printed, by pod and container; pods that are not so far are left out."""
    found = {}
    for item in cluster.list("pods", NAMESPACE):
        if item["status"]["phase"] not in {"Running", "Succeeded"}:
            continue
        pod = item["metadata"]["name"]
        for container in item["spec"]["containers"]:
            report = sightings.last_report(cluster.logs(NAMESPACE, pod, container=container["name"]))
            if report is not None:
                found[pod, container["name"]] = report
    return found


def wait_for_reports(cluster: cluster_access.Cluster, step: Steps, seconds: float) -> sightings.Reports:
    """Wait until every container of the examples has checked its results; says how far it is."""
    said = -1

    def done() -> bool:
        nonlocal said
        count = len(reports(cluster))
        if count != said:
            step(f"{count} of {sightings.WANTED} containers have run their models")
            said = count
        return count >= sightings.WANTED

    cluster.wait_for(done, seconds=seconds, what=lambda: f"{sightings.WANTED} reports; pods:\n{pod_lines(cluster)}")
    return reports(cluster)


def pod_lines(cluster: cluster_access.Cluster) -> str:
    """One line per pod, for the message when something is missing."""
    pods = cluster.list("pods", NAMESPACE)
    return "\n".join(f"  {item['metadata']['name']}: {item['status']['phase']}" for item in pods)


def kubectl_neuron(kubeconfig: pathlib.Path, *arguments: str) -> str:
    """Run the command line of `kubectl neuron` and return what it printed."""
    outcome = click.testing.CliRunner().invoke(commands.main, ["--kubeconfig", str(kubeconfig), *arguments])
    if outcome.exit_code != 0:
        raise DemoError(f"kubectl neuron {' '.join(arguments)}: {outcome.output}")
    return outcome.output


def checks(cluster: cluster_access.Cluster) -> Sequence[tuple[str, Callable[[], bool]]]:
    """List what must hold besides the three-sided agreement."""

    def user_does_not_win() -> bool:
        seen = cluster.execute(NAMESPACE, "annotated", "printenv", "NEURON_RT_VISIBLE_CORES").strip()
        return seen != "0-31"

    def says_why() -> bool:
        events = [item for item in cluster.list("events", NAMESPACE) if item["involvedObject"]["name"] == "never-fits"]
        return any("40" in item["message"] for item in events)

    return (
        ("a pod's own NEURON_RT_VISIBLE_CORES does not win", user_does_not_win),
        ("the pod that can never fit says why in an Event", says_why),
    )


def run_examples(cluster: cluster_access.Cluster) -> sightings.Reports:
    """Install the chart, apply all examples and wait until every container has checked its results."""
    step = Steps()
    step("installing the chart with helm")
    helm_release.install(cluster)
    step("both nodes have registered their NeuronCores")
    cluster.kubectl("apply", "-k", str(EXAMPLES))
    step("examples applied: kubectl apply -k examples")
    return wait_for_reports(cluster, step, seconds=300)


def show(cluster: cluster_access.Cluster, found: sightings.Reports, svg: pathlib.Path) -> None:
    """Print what the containers saw, the core map (and write it to `svg`), and why one pod waits."""
    screen.print(sightings.report_table(found))
    kubectl_neuron(cluster.kubeconfig, "map", "--svg", str(svg))
    screen.print(core_map.render(commands.nodes(flags.Flags({"kubeconfig": str(cluster.kubeconfig)}))))
    screen.print(f"kubectl neuron explain -n {NAMESPACE} never-fits", style="bold")
    screen.print(kubectl_neuron(cluster.kubeconfig, "explain", "-n", NAMESPACE, "never-fits"), markup=False)


def check(cluster: cluster_access.Cluster) -> None:
    """Say in one line whether all is well; raises SystemExit with everything that is not."""
    verdict = installation.agreement_verdict(cluster)
    failed = [text for text, holds in checks(cluster) if not holds()]
    if verdict.complaints or failed:
        raise SystemExit("\n".join([*verdict.complaints, *(f"does not hold: {text}" for text in failed)]))
    screen.print(f"[bold green]✓[/] {verdict}")
    for text, _ in checks(cluster):
        screen.print(f"[bold green]✓[/] {text}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the demo on a kind cluster that is up; raises SystemExit with what does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cluster", default="neuronspan-demo", help="name of the kind cluster")
    parser.add_argument("--svg", type=pathlib.Path, default=SVG, help="where the core map goes")
    options = parser.parse_args(arguments)
    with contextlib.closing(cluster_access.of_kind(options.cluster)) as cluster:
        found = run_examples(cluster)
        show(cluster, found, options.svg)
        check(cluster)
        screen.print(f"The map is in {options.svg}. `make demo-down` removes the cluster; until then it is reached by")
        screen.print(f"  export KUBECONFIG={cluster.kubeconfig}", soft_wrap=True)


if __name__ == "__main__":
    main()
