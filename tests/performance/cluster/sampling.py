"""One size of cluster as a case with limits: samples of every quantity, and the files that go with them."""

import json
import pathlib
import sys

from performance import sampling
from performance.cluster import measuring, scheduler_perf

ROUNDS = 5
SINGLES = 31
RESULTS = pathlib.Path(__file__).parents[3] / "build" / "performance"


def measure(nodes: int, pods: int, *, rounds: int = ROUNDS, singles: int = SINGLES) -> sampling.Samples:
    """Print all figures, write them as scheduler_perf does, and return what has limits, round by round."""
    result = measuring.compare(nodes=nodes, pods=pods, rounds=rounds, singles=singles)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"cluster_{nodes}.json"
    path.write_text(json.dumps(scheduler_perf.document([result]), indent=2) + "\n", encoding="utf-8")
    profiles = f"python -m performance.cluster --nodes {nodes} --pods {pods} --rounds 1 --profiles build/performance"
    sys.stdout.write(
        f"{measuring.table(result)}\n{measuring.calls(result)}\nin {path}; where the time goes: {profiles}\n"
    )
    sys.stdout.flush()
    return samples_of(result)


def samples_of(result: measuring.Comparison) -> sampling.Samples:
    """Return the quantities that limits name: rates and times of both kinds of pods, and their ratios."""
    samples: dict[str, list[float]] = {"speed_ratio": result.speed_ratios(), "idle_ratio": result.idle_ratios()}
    for kind, runs in result.runs.items():
        samples[f"{kind}_speed"] = [run.pods_per_second for run in runs]
        samples[f"{kind}_idle"] = list(result.idle_milliseconds[kind])
        samples[f"{kind}_writes"] = [run.writes_per_pod() for run in runs]
        samples[f"{kind}_apiserver"] = [run.processor_milliseconds()["kube-apiserver"] for run in runs]
    samples["operator"] = [run.processor_milliseconds()["operator"] for run in result.runs["cores"]]
    samples["kube_scheduler"] = [run.processor_milliseconds()["kube-scheduler"] for run in result.runs["plain"]]
    return samples
