"""One scene after another, judged by kube-scheduler and by us, node by node."""

import dataclasses
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from neuronspan_operator.scheduling import cluster_state
from oracle import differences, judging, stage, tally
from oracle.drawn import drawing, probes, scenes

Manifest = drawing.Manifest

_PROBES: Final = 40  # in each scene
_ASKED_AGAIN: Final = (0.2, 1.0, 3.0)
"""Seconds of pause before a disagreement is asked again: the scheduler's caches are a little behind the API server."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Both verdicts of one pod."""

    probe: probes.Probe
    real: stage.Judged
    ours: judging.Verdict
    as_documented: judging.Verdict | None = (
        None  # ours of the pod as kube-scheduler reads it, where it reads another one
    )

    @property
    def wrong(self) -> frozenset[str]:
        """The nodes that only one of the two allows."""
        return self._compared.allowed ^ self.real.allowed

    @property
    def documented(self) -> frozenset[str]:
        """The nodes that only one of the two allows, for a documented reason."""
        return (self.ours.allowed ^ self.real.allowed) - self.wrong

    @property
    def agrees(self) -> bool:
        """Whether nodes and words are equal."""
        return not self.wrong and self.same_words

    @property
    def same_words(self) -> bool:
        """Whether the reasons are equal, and for how many nodes each stands."""
        return differences.same_words(self._compared.counted, self.real.counted)

    @property
    def _compared(self) -> judging.Verdict:
        return self.as_documented or self.ours

    def text(self) -> str:
        """Say what differs."""
        return (
            f"{self.probe.manifest['metadata']['name']} asks for {', '.join(self.probe.kinds)}\n"
            f"  ours:           {sorted(self._compared.allowed)} {self._compared.counted}\n"
            f"  kube-scheduler: {sorted(self.real.allowed)} {self.real.counted}"
        )


def compared(
    theatre: stage.Stage,
    cluster: cluster_state.Cluster,
    asked: Sequence[probes.Probe],
    pauses: Sequence[float] = _ASKED_AGAIN,
) -> list[Comparison]:
    """Compare the verdicts of pods in the cluster that is set up; disagreements are asked again after each pause."""
    found = _once(theatre, cluster, asked)
    for pause in pauses:
        doubtful = [index for index, each in enumerate(found) if not each.agrees]
        if not doubtful:
            break
        time.sleep(pause)  # the scheduler is another process
        again = _once(theatre, cluster, [asked[index] for index in doubtful])
        for index, each in zip(doubtful, again, strict=True):
            found[index] = each
    return found


def _once(theatre: stage.Stage, cluster: cluster_state.Cluster, asked: Sequence[probes.Probe]) -> list[Comparison]:
    judged = theatre.judge([probe.manifest for probe in asked])
    return [_compared(cluster, probe, real) for probe, real in zip(asked, judged, strict=True)]


def _compared(cluster: cluster_state.Cluster, probe: probes.Probe, real: stage.Judged) -> Comparison:
    read_otherwise = differences.as_kube_scheduler_reads(real.pod)
    return Comparison(
        probe,
        real,
        judging.verdict(cluster, real.pod, real.claims),
        None if read_otherwise is None else judging.verdict(cluster, read_otherwise, real.claims),
    )


def in_scene(theatre: stage.Stage, scene: scenes.Scene, asked: Sequence[probes.Probe]) -> list[Comparison]:
    """Compare the verdicts of pods in a scene, from its set-up to its end."""
    seen = theatre.set_up(scene)
    results = compared(theatre, judging.cluster_of(seen), asked)
    theatre.clear(seen)
    return results


def run(
    theatre: stage.Stage, seeds: Iterable[int], counts: tally.Tally, *, enough: int
) -> Iterator[tuple[scenes.Scene, Comparison]]:
    """Compare scene after scene until there are enough verdicts; yield what disagrees."""
    begun = time.monotonic()
    for seed in seeds:
        if counts.verdicts >= enough:
            break
        scene = scenes.draw_scene(seed, _PROBES)
        results = in_scene(theatre, scene, scene.probes)
        counts.clusters += 1
        for each in results:
            counts.add(_entry(each, len(scene.nodes)))
        counts.seconds = time.monotonic() - begun
        yield from ((scene, each) for each in results if not each.agrees)


def _entry(compared: Comparison, nodes: int) -> tally.Entry:
    return tally.Entry(
        kinds=compared.probe.kinds,
        words=compared.real.counted,
        refused_by_kind=compared.ours.kinds,
        nodes=nodes,
        allowed=len(compared.real.allowed),
        wrong=len(compared.wrong),
        documented=len(compared.documented),
        same_words=compared.same_words,
    )
