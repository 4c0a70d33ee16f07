"""Soft preferences: the scores of kube-scheduler's plugins beside ours, node by node."""

import dataclasses
from collections.abc import Iterator

from oracle import differences, judging, stage
from oracle.drawn import probes, scenes


@dataclasses.dataclass(frozen=True)
class Scored:
    """How much better than the worst node each node is, for one pod."""

    probe: probes.Probe
    real: dict[str, int]
    ours: dict[str, int]
    by_plugin: dict[str, dict[str, int]]

    @property
    def ranks(self) -> bool:
        """Whether a node is better than another one."""
        return len(set(self.real.values())) > 1

    @property
    def agrees(self) -> bool:
        """Whether all differences between nodes are equal, and so the order."""
        return self.real == self.ours

    def text(self) -> str:
        """Say what differs."""
        name = self.probe.manifest["metadata"]["name"]
        return (
            f"{name} ({', '.join(self.probe.kinds)})\n  ours:           {self.ours}\n  kube-scheduler: {self.by_plugin}"
        )


def scored(theatre: stage.Stage, scene: scenes.Scene) -> Iterator[Scored]:
    """Compare the scores of a scene's probes, where there is a choice between nodes."""
    seen = theatre.set_up(scene)
    cluster = judging.cluster_of(seen)
    for probe in scene.probes:
        judged, by_plugin = theatre.scores(probe.manifest)
        if by_plugin:
            read = differences.as_kube_scheduler_reads(judged.pod) or judged.pod
            ours = judging.scores(cluster, read, judged.allowed)
            totals = {node: sum(scores.values()) for node, scores in by_plugin.items()}
            yield Scored(probe, _above_worst(totals), _above_worst(ours), by_plugin)
    theatre.clear(seen)


def _above_worst(totals: dict[str, int]) -> dict[str, int]:
    """Return scores without what all nodes have in common: a plugin without an opinion may give each 0, or each 100."""
    worst = min(totals.values(), default=0)
    return {node: total - worst for node, total in totals.items()}
