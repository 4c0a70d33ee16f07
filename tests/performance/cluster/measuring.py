"""Both kinds of pods in turns: batches, and one pod at a time."""

import dataclasses
import pathlib
import statistics
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence

from performance.cluster import figures, profiling, rig

APISERVER_PROFILE, OPERATOR_PROFILE = "kube-apiserver-{kind}.pprof", "operator.txt"
PROFILE_SECONDS = 10
PAUSE_SECONDS = 0.2
"""Between two single pods: what follows a binding (Events, conditions) is over by then."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What one cluster showed; the runs and latencies of a kind stand in the order in which they were made."""

    nodes: int
    pods: int
    runs: Mapping[str, Sequence[figures.Run]]
    idle_milliseconds: Mapping[str, Sequence[float]]

    def speed_ratios(self) -> list[float]:
        """Return pods per second with NeuronCores over plain ones, round by round."""
        pairs = zip(self.runs["cores"], self.runs["plain"], strict=True)
        return [ours.pods_per_second / plain.pods_per_second for ours, plain in pairs]

    def idle_ratios(self) -> list[float]:
        """Return how many times as long a pod with NeuronCores took on the idle cluster as the plain one before it."""
        pairs = zip(self.idle_milliseconds["cores"], self.idle_milliseconds["plain"], strict=True)
        return [ours / plain for ours, plain in pairs]


def compare(*, nodes: int, pods: int, rounds: int, singles: int, profiles: pathlib.Path | None = None) -> Comparison:
    """Measure rounds of so many pods of each kind, then so many single ones, on a cluster of its own.

    With ``profiles`` a folder gets the profiles of operator and API server; both are slower then.
    """
    report = profiles and profiles / OPERATOR_PROFILE
    with tempfile.TemporaryDirectory() as scratch, rig.running(pathlib.Path(scratch), nodes, report) as cluster:
        if profiles:
            for kind in rig.KINDS:
                _save_profile(cluster, kind, pods, apiserver_profile(profiles, kind))
        runs: dict[str, list[figures.Run]] = {kind: [] for kind in rig.KINDS}
        for number in range(rounds):
            for kind in list(rig.KINDS)[:: -1 if number % 2 else 1]:
                runs[kind].append(cluster.counted_run(kind, pods))
                cluster.clear()
        idle: dict[str, list[float]] = {kind: [] for kind in rig.KINDS}
        for _ in range(singles):
            for kind in rig.KINDS:
                time.sleep(PAUSE_SECONDS)
                idle[kind] += cluster.run(kind, 1).latencies()
        return Comparison(nodes, pods, runs, idle)


def apiserver_profile(profiles: pathlib.Path, kind: str) -> pathlib.Path:
    """Return where the API server's profile of one kind of pods is kept."""
    return profiles / APISERVER_PROFILE.format(kind=kind)


def _save_profile(cluster: rig.Rig, kind: str, pods: int, path: pathlib.Path) -> None:
    """Let the API server profile itself while pods of one kind are created and bound."""
    plane = cluster.admission.plane
    thread = threading.Thread(target=profiling.save_apiserver_profile, args=(plane, PROFILE_SECONDS, path))
    thread.start()
    cluster.run(kind, pods)
    thread.join()
    cluster.clear()


def table(result: Comparison) -> str:
    """Return all figures as a Markdown table: plain pods, pods with NeuronCores, and the ratio."""
    numbers = {kind: _numbers(result, kind) for kind in rig.KINDS}
    lines = [f"| {result.nodes} nodes, {result.pods} pods | plain | with NeuronCores | ratio |", "|---|---|---|---|"]
    for name, plain in numbers["plain"].items():
        ours = numbers["cores"][name]
        lines.append(f"| {name} | {plain:.4g} | {ours:.4g} | {f'{ours / plain:.2f}' if plain else ''} |")
    return "\n".join(lines) + "\n"


def calls(result: Comparison) -> str:
    """Return which calls wrote for a pod, and how often, as a Markdown table."""
    counts = {
        kind: {
            call: statistics.fmean(run.writes.get(call, 0.0) / len(run.bound) for run in runs)
            for call in sorted({call for run in runs for call in run.writes})
        }
        for kind, runs in result.runs.items()
    }
    lines = [
        f"| {call} | {counts['plain'].get(call, 0):.2f} | {counts['cores'].get(call, 0):.2f} |"
        for call in sorted({call for found in counts.values() for call in found})
    ]
    return "\n".join(["| write | plain, per pod | with NeuronCores, per pod |", "|---|---|---|", *lines]) + "\n"


def _numbers(result: Comparison, kind: str) -> dict[str, float]:
    runs = result.runs[kind]
    rates = [rate for run in runs for rate in run.samples()]
    waits = [wait for run in runs for wait in run.latencies()]
    numbers = {"pods/s, median of the rounds": statistics.median(run.pods_per_second for run in runs)}
    numbers["pods/s in one second, average"] = statistics.fmean(rates)
    numbers["pods/s taken by the API server, median"] = statistics.median(run.sent_per_second for run in runs)
    numbers |= {f"pods/s in one second, p{each}": figures.percentile(rates, each) for each in figures.PERCENTS}
    numbers |= {
        f"create to bound in the batch, p{each}, ms": figures.percentile(waits, each) for each in figures.PERCENTS
    }
    idle = result.idle_milliseconds[kind]
    numbers |= {
        f"create to bound on the idle cluster, p{each}, ms": figures.percentile(idle, each) for each in (50, 90)
    }
    numbers["writes at the API server per pod, its creation aside"] = statistics.median(
        run.writes_per_pod() for run in runs
    )
    for name in runs[0].processor_seconds:
        used = statistics.median(run.processor_milliseconds()[name] for run in runs)
        numbers[f"CPU time of {name} per pod, ms"] = used
    for name in runs[0].tail_seconds:
        used = statistics.median(run.tail_milliseconds()[name] for run in runs)
        numbers[f"… of it when all pods were bound, {name}, ms"] = used
    return numbers
