"""Who is held back after failures: pods that wait for us, with or without a gate, and nobody who has cores."""

import pytest

from kits.manifests import builders, domain
from neuronspan import grants, names
from neuronspan_operator import reasons
from neuronspan_operator.objects import pods, pools
from neuronspan_operator.reconciling import ledger_writes
from neuronspan_operator.reconciling.memory import holdings, pauses, storms


class Guarded:
    """A guard, the pods it is asked about, and seconds that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.failures = pauses.Pauses(lambda: self.now)
        self.pods: dict[str, pods.PodView] = {}
        self.held = holdings.Holdings()
        self.guard = storms.StormGuard(self.failures, self.held, self.pods.get)

    def see(self, *manifests: builders.Manifest, granted: str = "") -> dict[str, bool]:
        """Pods come or change, and the ledger of w1 has cores for one of them only."""
        node = builders.make_neuron_node("w1", [domain.grant("0-3", granted)] if granted else [])
        self.pods |= {view.uid: view for view in map(pods.read, manifests)}
        changed = {each["metadata"]["uid"] for each in manifests}
        return self.guard.observe(changed | self.held.take({"w1": pools.read_member(node)}))


@pytest.fixture
def guarded() -> Guarded:
    """A guard that saw a pod of ReplicaSet web fail before it started."""
    guarded = Guarded()
    guarded.see(builders.make_pod("first", cores=4, owner="web", node="w1", phase="Failed"), granted="first")
    return guarded


@pytest.mark.parametrize(
    "pod",
    [{}, {"scheduler": "volcano", "gates": [names.SCHEDULING_GATE]}],
    ids=["for us to bind", "behind our gate"],
)
def test_successor_of_a_failed_pod_is_held_back(guarded: Guarded, pod: dict[str, object]) -> None:
    manifest = builders.make_pod("second", cores=4, owner="web", **pod)  # type: ignore[arg-type]  # of one shape or another
    assert guarded.see(manifest) == {"uid-second": True}
    why = guarded.guard.waiting["uid-second"]
    assert why.reason is reasons.WaitingReason.BACK_OFF
    assert "ReplicaSet web" in why.message


@pytest.mark.parametrize(
    "pod",
    [{"node": "w1"}, {"deleted": True}, {"phase": "Succeeded"}, {"scheduler": "volcano"}],
    ids=["bound", "deleted", "ended", "of another scheduler"],
)
def test_pods_that_do_not_wait_for_us_are_left_alone(guarded: Guarded, pod: dict[str, object]) -> None:
    assert guarded.see(builders.make_pod("second", cores=4, owner="web", **pod)) == {}  # type: ignore[arg-type]  # one of several
    assert guarded.guard.waiting == {}


def test_pod_whose_grant_is_stored_is_bound_in_spite_of_the_delay(guarded: Guarded) -> None:
    assert guarded.see(builders.make_pod("second", cores=4, owner="web"), granted="second") == {}


def test_pod_that_is_held_back_is_let_go_when_its_time_has_come_and_nothing_changed(guarded: Guarded) -> None:
    guarded.see(builders.make_pod("second", cores=4, owner="web"))
    assert guarded.see() == {}
    guarded.now += 1
    assert guarded.see() == {"uid-second": False}
    assert guarded.guard.waiting == {}


def test_pods_that_wait_already_are_held_back_when_their_controller_fails() -> None:
    guarded = Guarded()
    waiting = [builders.make_pod(name, cores=4, owner="web") for name in ("second", "third")]
    assert guarded.see(*waiting, builders.make_pod("other", cores=4, owner="other")) == {}
    failed = builders.make_pod("first", cores=4, owner="web", node="w1", phase="Failed")
    assert guarded.see(failed, granted="first") == {"uid-second": True, "uid-third": True}


def test_pod_that_is_gone_is_held_back_no_more(guarded: Guarded) -> None:
    guarded.see(builders.make_pod("second", cores=4, owner="web"))
    del guarded.pods["uid-second"]
    assert guarded.guard.observe({"uid-second"}) == {"uid-second": False}


@pytest.mark.parametrize("key", ["uid-second", ledger_writes.grant_key("uid-second")], ids=["pod", "grant"])
def test_pod_whose_own_write_failed_is_held_back_until_it_succeeds(key: str) -> None:
    guarded = Guarded()
    guarded.see(builders.make_pod("second", cores=4))
    guarded.failures.failed(key)
    assert guarded.see() == {"uid-second": True}
    assert "changing this pod failed" in guarded.guard.waiting["uid-second"].message
    guarded.failures.succeeded(key)
    assert guarded.see() == {"uid-second": False}


def test_pod_that_came_to_hold_its_cores_ends_the_delays_once(guarded: Guarded) -> None:
    """Later ones of its controller may fail all the same, whatever becomes of it."""
    running = builders.make_pod("old", cores=4, owner="web", node="w1", phase="Running")
    confirmed = builders.make_neuron_node("w1", [domain.grant("0-3", "old", state=grants.GrantState.CONFIRMED)])
    guarded.see(running)
    guarded.see(builders.make_pod("second", cores=4, owner="web"))
    assert guarded.guard.observe(guarded.held.take({"w1": pools.read_member(confirmed)})) == {"uid-second": False}
    guarded.failures.failed("owner/default/ReplicaSet/web")
    assert guarded.guard.observe(["uid-old"]) == {"uid-second": True}
