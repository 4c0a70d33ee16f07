"""Which pods ledgers and plugins mention."""

import hypothesis
from hypothesis import strategies

from kits.manifests import builders, domain
from neuronspan import grants
from neuronspan_operator.objects import pools
from neuronspan_operator.planning import plans, snapshot
from neuronspan_operator.reconciling.memory import holdings

State = grants.GrantState
UIDS = [f"uid-p{number}" for number in range(4)]


def member(*entries: grants.Grant, held: str = "") -> pools.Member:
    listed = [builders.held("0-1", held)] if held else []
    return pools.read_member(builders.make_neuron_node("w1", entries, held=listed))


def test_pod_is_mentioned_by_its_grant_or_by_what_it_holds() -> None:
    known = holdings.Holdings()
    assert known.take({"w1": member(domain.grant("2-3", "p0"), held="p1")}) == {"uid-p0", "uid-p1"}
    assert ("uid-p0" in known, "uid-p1" in known, "uid-p2" in known) == (True, True, False)
    assert ("uid-p0" in known.granted, "uid-p1" in known.granted) == (True, False)


def test_furthest_state_of_a_pods_grants_counts() -> None:
    known = holdings.Holdings()
    old = domain.grant("0-1", "p0", state=State.RELEASING)
    known.take({"w1": member(old), "w2": member(domain.grant("0-1", "p0", state=State.GRANTED))})
    assert known.state("uid-p0") is State.GRANTED
    known.take({"w2": None})
    assert known.state("uid-p0") is State.RELEASING


def test_only_what_is_otherwise_is_told() -> None:
    known = holdings.Holdings()
    known.take({"w1": member(domain.grant("0-1", "p0"), domain.grant("2-3", "p1"))})
    confirmed = domain.grant("0-1", "p0", state=State.CONFIRMED)
    assert known.take({"w1": member(confirmed, domain.grant("2-3", "p1"))}) == {"uid-p0"}
    assert known.take({"w1": member(confirmed, domain.grant("2-3", "p1"))}) == set()


def test_ledgers_are_those_of_the_nodes_that_are_there() -> None:
    known = holdings.Holdings()
    known.take({"w1": member(), "w2": member()})
    known.take({"w2": None})
    assert list(known.ledgers) == ["w1"]


_MEMBERS = strategies.builds(
    lambda owners, states, held: member(
        *(
            domain.grant(f"{2 * n}-{2 * n + 1}", f"p{o}", state=s)
            for n, (o, s) in enumerate(zip(owners, states, strict=False))
        )
        if len(set(owners)) == len(owners)
        else (),
        held=held,
    ),
    strategies.lists(strategies.integers(0, 3), max_size=3, unique=True),
    strategies.lists(strategies.sampled_from(State), min_size=3, max_size=3),
    strategies.sampled_from(["", "p0", "p3"]),
)


@hypothesis.given(
    strategies.lists(
        strategies.tuples(strategies.sampled_from(["w1", "w2"]), strategies.none() | _MEMBERS), min_size=1, max_size=8
    )
)
@hypothesis.settings(max_examples=50, deadline=None)
def test_holdings_say_what_a_look_at_all_nodes_would(steps: list[tuple[str, pools.Member | None]]) -> None:
    known, there = holdings.Holdings(), dict[str, pools.Member]()
    for name, now in steps:
        known.take({name: now})
        there.pop(name, None)
        if now is not None:
            there[name] = now
        views = {node: each.view for node, each in there.items()}
        seen = plans.Snapshot({}, {}, views)
        assert {uid for uid in UIDS if uid in known} == snapshot.mentioned(seen)
        assert {uid for uid in UIDS if uid in known.granted} == snapshot.granted(seen)
