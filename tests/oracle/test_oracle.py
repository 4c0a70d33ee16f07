"""Our placement beside the real kube-scheduler: every node of many small clusters, for pods that ask for everything."""

import itertools

import pytest

from neuronspan_operator import reasons
from neuronspan_operator.scheduling import taints
from oracle import comparing, scoring, shrinking, stage, tally
from oracle.drawn import drawing, probes, scenes

SHOWN = 2  # reproductions of a failed run
SOFT_PROBES = 20  # in each scene
TERM = {
    "topologyKey": drawing.HOSTNAME,
    "labelSelector": {},
    "namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["red"]}]},
}


def reproductions(theatre: stage.Stage, found: list[tuple[scenes.Scene, comparing.Comparison]]) -> str:
    """Return what disagrees, the first of it in the smallest cluster that shows it."""
    texts = [f"{len(found)} pods are judged otherwise by kube-scheduler"]
    for scene, wrong in found[:SHOWN]:
        smallest = shrinking.reduced(theatre, scene, wrong.probe)
        seen = theatre.seen()
        texts.append(wrong.text() if smallest is None else shrinking.reproduction(seen, smallest))
        theatre.clear(seen)
    return "\n".join([*texts, *(wrong.text() for _, wrong in found[SHOWN:])])


def test_every_node_is_judged_as_kube_scheduler_judges_it(
    theatre: stage.Stage, counts: tally.Tally, enough: int, seeds: range
) -> None:
    wrong = list(comparing.run(theatre, seeds, counts, enough=enough))
    assert not wrong, reproductions(theatre, wrong)
    assert counts.verdicts >= enough
    assert set(counts.asked) == set(probes.KINDS)
    assert {kind for kind, row in counts.asked.items() if not row.allowed} == set()
    assert set(counts.refused_by_kind) >= set(reasons.ObjectionKind) - {
        reasons.ObjectionKind.NODE_NAME  # a pod that names its node is not for schedulers
    }


def test_preferences_weigh_as_in_kube_scheduler(
    theatre: stage.Stage, counts: tally.Tally, soft_scenes: int, seeds: range
) -> None:
    drawn = (scenes.draw_scene(seed, SOFT_PROBES, soft=True) for seed in seeds[:soft_scenes])
    compared = list(itertools.chain.from_iterable(scoring.scored(theatre, scene) for scene in drawn))
    wrong = [each.text() for each in compared if not each.agrees]
    counts.scored, counts.scored_otherwise = len(compared), len(wrong)
    counts.ranked = sum(each.ranks for each in compared)
    assert not wrong, "\n".join(wrong)
    assert counts.ranked >= soft_scenes


def test_kube_scheduler_still_takes_an_excluding_namespace_selector_for_all_namespaces(theatre: stage.Stage) -> None:
    scene = scenes.one_node(placed_in=drawing.NAMESPACES[1], teams={drawing.NAMESPACES[1]: "red"})
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [TERM]}}
    spec = {"containers": [{"name": "app", "image": "none"}], "affinity": affinity}
    manifest = {"metadata": {"name": "far", "namespace": drawing.NAMESPACES[0]}, "spec": spec}
    (found,) = comparing.in_scene(theatre, scene, [probes.Probe(manifest, ("pod anti-affinity",))])
    assert found.documented == {scene.nodes[0]["metadata"]["name"]}
    assert found.agrees
    assert found.real.allowed == set()


def test_a_wrong_filter_is_found_and_shown_in_the_smallest_cluster(
    theatre: stage.Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taints, "_HARD", frozenset())
    scene = scenes.one_node(placed_in=drawing.NAMESPACES[0], teams={})
    scene.nodes[0]["spec"]["taints"] = [{"key": "dedicated", "effect": "NoSchedule"}]
    spec = {"containers": [{"name": "app", "image": "none"}], "nodeSelector": {drawing.HOSTNAME: "only"}}
    probe = probes.Probe({"metadata": {"name": "near", "namespace": drawing.NAMESPACES[0]}, "spec": spec}, ())
    (found,) = comparing.in_scene(theatre, scene, [probe])
    assert found.wrong == {"only"}
    smallest = shrinking.reduced(theatre, scene, probe)
    seen = theatre.seen()
    theatre.clear(seen)
    assert smallest is not None
    assert "nodeSelector" not in smallest.real.pod["spec"]
    assert seen.pods == []
    assert "key: dedicated" in shrinking.reproduction(seen, smallest)
