"""How much a pod may say about its place."""

from typing import Any

import pytest

from kits.manifests import builders, snapshots, volumes
from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import pod_constraints

MOST = pod_constraints.MOST
REQUIRED, PREFERRED = (f"{each}DuringSchedulingIgnoredDuringExecution" for each in ("required", "preferred"))


def _expression(count: int) -> dict[str, Any]:
    return {"key": "zone", "operator": "NotIn", "values": [f"z{number}" for number in range(count)]}


def _near_nodes(count: int) -> dict[str, Any]:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [_expression(count)]}]}}}


def _read(**shape: Any) -> pods.PodView:
    return pods.read(builders.make_pod(cores=4, **shape))


def test_pod_may_say_as_much_as_people_write() -> None:
    view = _read(affinity=_near_nodes(MOST - 2))
    assert view.problems == ()
    assert view.constraints.node_affinity.required is not None


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param({"affinity": _near_nodes(MOST - 1)}, id="required node affinity"),
        pytest.param(
            {
                "affinity": {
                    "nodeAffinity": {
                        PREFERRED: [{"weight": 1, "preference": {"matchExpressions": [_expression(MOST)]}}]
                    }
                }
            },
            id="preferred node affinity",
        ),
        pytest.param(
            {"affinity": {"podAntiAffinity": {REQUIRED: [{"topologyKey": "zone"}] * (MOST + 1)}}}, id="pod affinity"
        ),
        pytest.param(
            {
                "affinity": {
                    "podAffinity": {
                        PREFERRED: [{"weight": 1, "podAffinityTerm": {"namespaces": [f"n{n}" for n in range(MOST)]}}]
                    }
                }
            },
            id="namespaces",
        ),
        pytest.param({"tolerations": [{"operator": "Exists"}] * (MOST + 1)}, id="tolerations"),
        pytest.param({"selector": {f"label-{number}": "" for number in range(MOST + 1)}}, id="node selector"),
    ],
)
def test_pod_that_says_too_much_about_its_place_waits_with_a_sentence_and_nothing_of_it_is_kept(
    shape: dict[str, Any],
) -> None:
    view = _read(**shape)
    (problem,) = view.problems
    assert "details" in problem
    assert f"use at most {MOST}" in problem
    assert view.constraints == pod_constraints.NONE
    plan = snapshots.plan([builders.make_pod(cores=4, **shape)])
    assert plan.ledgers == ()
    assert plan.waiting["uid-web"].reason == "InvalidRequest"


def test_spread_and_volumes_count_too() -> None:
    manifest = volumes.make_pod("web", [f"claim-{number}" for number in range(MOST - 1)])
    manifest["spec"]["topologySpreadConstraints"] = [{"labelSelector": {"matchLabels": {"app": "web"}}}]
    (problem,) = pods.read(manifest).problems
    assert f"has {MOST + 2} details" in problem


def test_pod_that_has_its_place_keeps_what_it_means_for_others() -> None:
    affinity = {**_near_nodes(MOST), "podAntiAffinity": {REQUIRED: [{"topologyKey": "zone"}]}}
    view = _read(affinity=affinity, node="w1")
    assert view.problems == ()
    assert len(view.constraints.pod_affinity.anti_required) == 1
    assert view.constraints.node_affinity.required is None
