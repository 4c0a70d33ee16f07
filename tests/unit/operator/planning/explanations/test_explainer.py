"""What an explainer keeps follows the cluster, and costs what changed."""

from collections.abc import Mapping
from typing import Any

import pytest

from kits.manifests import builders, domain, snapshots
from kits.planning import kept_drafts
from neuronspan import grants
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import journal, plans
from neuronspan_operator.planning.drafting import drafts, node_drafts
from neuronspan_operator.planning.explanations import explainer, standings, ways_out

CONFIRMED = grants.GrantState.CONFIRMED
NODES = ("w1", "w2", "w3")
BIG = pods.read(builders.make_pod("big", cores=20))
SMALL = pods.read(builders.make_pod("small", cores=19))


def _member(name: str, *taken: str, **status: Any) -> dict[str, Any]:
    book = [domain.grant(cores, f"{name}-{cores}", state=CONFIRMED) for cores in taken]
    return builders.make_neuron_node(name, book, **status)


def _node(name: str, **fields: Any) -> dict[str, Any]:
    return builders.make_node(name, labels={"zone": "a"}, **fields)


def _world(**others: "tuple[dict[str, Any] | None, dict[str, Any] | None]") -> plans.Snapshot:
    """Return three nodes of which one core in the middle is taken; ``others`` replace their Node and NeuronNode."""
    pairs: Mapping[str, tuple[Any, Any]] = {name: (_node(name), _member(name, "16")) for name in NODES} | others
    there, members = zip(*pairs.values(), strict=True)
    return snapshots.snapshot([], filter(None, there), filter(None, members))


@pytest.fixture
def draft() -> drafts.Draft:
    return kept_drafts.make_draft(_world())


@pytest.fixture
def kept(draft: drafts.Draft) -> explainer.Explainer:
    """Return an explainer that has said something of both pods already."""
    found = explainer.Explainer(draft)
    found.explain(BIG)
    found.explain(SMALL)
    return found


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the nodes that are judged from now on."""
    names, judge = [], standings.Judge.standing

    def standing(self: standings.Judge, name: str, *rest: Any) -> standings.Standing | None:
        names.append(name)
        return judge(self, name, *rest)

    monkeypatch.setattr(standings.Judge, "standing", standing)
    return names


@pytest.mark.parametrize(
    ("others", "words"),
    [
        pytest.param(
            {"w2": (_node("w2"), _member("w2", "15", "24-31"))},
            "It would fit on w1 after the end of default/w1-16 (cores 16).",
            id="a longer grant beside",
        ),
        pytest.param(
            {name: (_node(name), _member(name, "0-31")) for name in NODES},
            "No core is free. It would fit on w1 after the end of default/w1-0-31 (cores 0-31).",
            id="full",
        ),
        pytest.param(
            {"w1": (_node("w1", cordoned=True), _member("w1", "16"))},
            "The longest free run is 16 (cores 0-15 of w2).",
            id="the first is cordoned",
        ),
        pytest.param({"w2": (_node("w2"), _member("w2"))}, "The NeuronCores are free on w2.", id="empty"),
        pytest.param({"w2": (None, _member("w2"))}, "0/2 nodes are available: 2 node(s) without 20", id="no Node"),
        pytest.param({"w2": (_node("w2"), None)}, "1 node(s) without NeuronCores. ", id="no NeuronNode"),
        pytest.param(
            {"w2": (_node("w2"), _member("w2") | {"spec": {}})}, "1 node(s) with an unreadable ledger.", id="no ledger"
        ),
        pytest.param({"w4": (_node("w4"), _member("w4"))}, "The NeuronCores are free on w4.", id="a new node"),
        pytest.param(
            {name: (_node(name, cordoned=True), _member(name)) for name in NODES},
            "It would fit on w1, w2, w3, could that be used.",
            id="cordoned",
        ),
        pytest.param(
            {name: (None, _member(name)) for name in NODES}, "There is no Neuron node:", id="all Nodes are gone"
        ),
        pytest.param(
            {"w3": (_node("w3"), _member("w3", "16", unhealthy={0: "ECC"}))},
            "Unhealthy are cores 0 of w3 (ECC).",
            id="ailing",
        ),
    ],
)
def test_sentence_follows_the_nodes_that_changed(
    draft: drafts.Draft, kept: explainer.Explainer, others: dict[str, Any], words: str
) -> None:
    kept_drafts.turn(draft, _world(**others), others)
    found = kept.explain(BIG)
    assert words in found.message
    assert found == explainer.Explainer(draft).explain(BIG)


def test_only_nodes_that_changed_are_judged_again(
    draft: drafts.Draft, kept: explainer.Explainer, judged: list[str]
) -> None:
    kept.explain(BIG)
    assert judged == []
    draft.journal.note("w2")
    draft.journal.note("w2")
    kept.explain(BIG)
    kept.explain(BIG)
    assert judged == ["w2"]


def test_each_shape_learns_of_a_change_when_it_is_asked_for(draft: drafts.Draft, kept: explainer.Explainer) -> None:
    kept_drafts.turn(draft, _world(w2=(_node("w2"), _member("w2"))), ["w2"])
    assert "free on w2" in kept.explain(BIG).message
    kept_drafts.turn(draft, _world(w3=(_node("w3"), _member("w3"))), NODES)
    assert "free on w3." in kept.explain(BIG).message
    assert "free on w3." in kept.explain(SMALL).message


def test_everything_is_looked_at_again_when_the_journal_knows_no_more(
    draft: drafts.Draft, kept: explainer.Explainer, judged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "KEPT", 1)
    full = {name: (_node(name), _member(name, "0-31")) for name in NODES}
    seen = draft.journal.position
    kept_drafts.turn(draft, _world(**full | {"w2": (None, _member("w2"))}), NODES * (seen + 1))
    assert draft.journal.since(seen) is None
    assert "0/2 nodes are available: 2 node(s) without 20 contiguous" in (found := kept.explain(BIG).message)
    assert "No core is free." in found
    assert judged == ["w1", "w3"]


def test_shape_that_was_not_asked_for_lately_is_judged_anew(
    kept: explainer.Explainer, judged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explainer, "MOST_VERDICTS", 1)
    kept.explain(SMALL)
    assert judged == []
    kept.explain(BIG)
    assert judged == list(NODES)


def test_large_cluster_keeps_fewer_verdicts(
    kept: explainer.Explainer, judged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explainer, "MOST_ANSWERS", 2 * len(NODES) - 1)
    kept.explain(SMALL)
    kept.explain(BIG)
    assert judged == list(NODES)


def test_ways_out_are_sought_again_only_on_nodes_that_changed(
    draft: drafts.Draft, kept: explainer.Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sought, search = [], ways_out.best

    def best(node: node_drafts.NodeDraft, *rest: Any) -> ways_out.Way | None:
        sought.append(node.name)
        return search(node, *rest)

    monkeypatch.setattr(ways_out, "best", best)
    draft.journal.note("w3")
    kept.explain(BIG)
    kept.explain(BIG)
    assert sought == ["w3"]
