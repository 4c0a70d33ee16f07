"""Who is held back after failures: pods that wait for us, with or without a gate, and nobody who has cores."""

import pytest

from kits.manifests import builders, domain
from neuronspan import names
from neuronspan_agent import backoff
from neuronspan_operator import reasons
from neuronspan_operator.objects import neuron_nodes, pods
from neuronspan_operator.planning import plans
from neuronspan_operator.reconciling import storms


def snapshot(*manifests: builders.Manifest, granted: str = "") -> plans.Snapshot:
    """Pods, and node w1 whose ledger has cores for one of them."""
    node = builders.make_neuron_node("w1")
    if granted:
        node["spec"]["grants"] = [domain.grant("0-3", granted).to_dict()]
    views = [pods.read(each) for each in manifests]
    return plans.Snapshot({view.uid: view for view in views}, {}, {"w1": neuron_nodes.read(node)})


@pytest.fixture
def guard() -> storms.StormGuard:
    """A guard that saw a pod of ReplicaSet web fail before it started."""
    guard = storms.StormGuard(backoff.Backoff(lambda: 0.0))
    failed = builders.make_pod("first", cores=4, owner="web", node="w1", phase="Failed")
    guard.calm(snapshot(failed, granted="first"))
    return guard


@pytest.mark.parametrize(
    "pod",
    [{}, {"scheduler": "volcano", "gates": [names.SCHEDULING_GATE]}],
    ids=["for us to bind", "behind our gate"],
)
def test_successor_of_a_failed_pod_is_held_back(guard: storms.StormGuard, pod: dict[str, object]) -> None:
    manifest = builders.make_pod("second", cores=4, owner="web", **pod)  # type: ignore[arg-type]  # of one shape or another
    calm, held = guard.calm(snapshot(manifest))
    assert calm.pods == {}
    assert held["uid-second"].reason is reasons.WaitingReason.BACK_OFF
    assert "ReplicaSet web" in held["uid-second"].message


@pytest.mark.parametrize(
    "pod",
    [{"node": "w1"}, {"deleted": True}, {"phase": "Succeeded"}, {"scheduler": "volcano"}],
    ids=["bound", "deleted", "ended", "of another scheduler"],
)
def test_pods_that_do_not_wait_for_us_are_left_alone(guard: storms.StormGuard, pod: dict[str, object]) -> None:
    seen = snapshot(builders.make_pod("second", cores=4, owner="web", **pod))  # type: ignore[arg-type]  # one of several
    assert guard.calm(seen) == (seen, {})


def test_pod_whose_grant_is_stored_is_bound_in_spite_of_the_delay(guard: storms.StormGuard) -> None:
    seen = snapshot(builders.make_pod("second", cores=4, owner="web"), granted="second")
    assert guard.calm(seen) == (seen, {})
