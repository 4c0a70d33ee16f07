"""What was decided about a node is kept, and what changed is decided about alone."""

import dataclasses
import datetime as dt

import pytest

from kits.manifests import domain, pool_views
from neuronspan import grants
from neuronspan_operator.objects import nodes, pools
from neuronspan_operator.planning import facts
from neuronspan_operator.pools import membership, standings

NOW = dt.datetime(2026, 1, 31, 10, 0, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(seconds=60)

pool, node, member = pool_views.pool, pool_views.node, pool_views.member


class Spied:
    """A membership of three nodes with one pool, and the nodes that it decided about since it was asked before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kept = membership.Membership()
        self.names: list[str] = []
        decide_about = standings.of_node

        def noted(
            known: dict[str, pools.PoolView], host: nodes.NodeView | None, own: pools.Member | None, now: dt.datetime
        ) -> standings.Standing:
            self.names.append(host.name if host is not None else own.view.name if own is not None else "")
            return decide_about(known, host, own, now)

        monkeypatch.setattr(standings, "of_node", noted)
        names = ("w1", "w2", "w3")
        self.look(
            facts.Changes(
                pools={"a": pool(policy={"quarantineSeconds": 60})},
                nodes={name: node(name) for name in names},
                members={name: member(name) for name in names},
            )
        )

    def look(self, changes: facts.Changes, now: dt.datetime = NOW) -> tuple[membership.Decision, list[str]]:
        """Return the decision, and about which nodes it was made anew."""
        self.names.clear()
        decision = self.kept.decide(changes, now)
        return decision, sorted(self.names)


@pytest.fixture
def spied(monkeypatch: pytest.MonkeyPatch) -> Spied:
    return Spied(monkeypatch)


def released(seconds: float) -> pools.Member:
    """The NeuronNode of w2 whose only grant was released so long ago."""
    since = (NOW - dt.timedelta(seconds=seconds)).isoformat()
    return member("w2", entries=(domain.grant(state=grants.GrantState.RELEASING, since=since),))


@pytest.mark.parametrize(
    "changes",
    [
        facts.Changes(nodes={"w2": node("w2", neuron="no")}),
        facts.Changes(nodes={"w2": None}),
        facts.Changes(members={"w2": member("w2", entries=(domain.grant(),))}),
        facts.Changes(members={"w2": None}),
    ],
    ids=["node", "node-gone", "member", "member-gone"],
)
def test_event_of_one_node_decides_about_that_one_only(spied: Spied, changes: facts.Changes) -> None:
    assert spied.look(changes)[1] == ["w2"]


def test_nothing_new_decides_about_no_node(spied: Spied) -> None:
    assert spied.look(facts.Changes(), LATER)[1] == []


def test_status_of_a_pool_decides_about_no_node(spied: Spied) -> None:
    """We write it ourselves, after each change of a node."""
    told = dataclasses.replace(pool(policy={"quarantineSeconds": 60}), resource_version="8", status={"nodes": 3})
    assert spied.look(facts.Changes(pools={"a": told}))[1] == []
    assert spied.kept.pools["a"].status == {"nodes": 3}


@pytest.mark.parametrize(
    "changed",
    [
        {"a": pool(nodeSelector={"neuron": "no"})},
        {"a": pool(hardware={"instanceType": "inf2.24xlarge"})},
        {"a": pool(policy={"quarantineSeconds": 61})},
        {"a": pool(deleted=True)},
        {"a": None},
        {"b": pool("b")},
    ],
    ids=["selector", "hardware", "policy", "being-deleted", "gone", "another-one"],
)
def test_pool_that_wants_something_else_decides_about_all_nodes(
    spied: Spied, changed: dict[str, pools.PoolView | None]
) -> None:
    assert spied.look(facts.Changes(pools=changed))[1] == ["w1", "w2", "w3"]


def test_end_of_a_quarantine_decides_about_that_node_only(spied: Spied) -> None:
    decision, _ = spied.look(facts.Changes(nodes={"w2": None}, members={"w2": released(seconds=20)}))
    assert (decision.removals, decision.wake_at) == ([], NOW + dt.timedelta(seconds=40))
    decision, decided = spied.look(facts.Changes(), NOW + dt.timedelta(seconds=40))
    assert (decision.removals, decision.wake_at, decided) == ([standings.Removal("w2", "1")], None, ["w2"])


def test_quarantine_of_a_node_that_comes_back_wakes_nobody(spied: Spied) -> None:
    spied.look(facts.Changes(nodes={"w2": None}, members={"w2": released(seconds=20)}))
    assert spied.look(facts.Changes(nodes={"w2": node("w2")}))[0].wake_at is None


def test_clock_that_was_set_back_brings_a_quarantine_back(spied: Spied) -> None:
    gone = facts.Changes(nodes={"w2": None}, members={"w2": released(seconds=20)})
    assert spied.look(gone, LATER)[0].removals == [standings.Removal("w2", "1")]
    decision, _ = spied.look(facts.Changes())
    assert (decision.removals, decision.wake_at) == ([], NOW + dt.timedelta(seconds=40))


def test_what_is_to_be_done_stands_until_the_change_is_seen(spied: Spied) -> None:
    """The write may have failed."""
    asked = spied.look(facts.Changes(nodes={"w4": node("w4")}))[0].creations
    assert [each.node.name for each in asked] == ["w4"]
    assert spied.look(facts.Changes(nodes={"w1": node("w1")}))[0].creations == asked
    assert spied.look(facts.Changes(members={"w4": member("w4")}))[0].creations == []


def test_counts_follow_members_that_come_change_and_go(spied: Spied) -> None:
    def counted(changes: facts.Changes) -> tuple[list[str], int]:
        found = spied.look(changes)[0].findings["a"]
        return list(found.members), found.cores

    assert counted(facts.Changes(members={"w0": member("w0")})) == (["w0", "w1", "w2", "w3"], 128)
    other = member("w1", instance_type="inf2.24xlarge")
    assert counted(facts.Changes(members={"w1": other})) == (["w0", "w1", "w2", "w3"], 108)
    assert counted(facts.Changes(members={"w2": None, "w3": member("w3", of="b")})) == (["w0", "w1"], 44)
