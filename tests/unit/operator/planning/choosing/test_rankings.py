"""Rankings are renewed node by node, and only so many are kept."""

from kits.manifests import domain
from neuronspan_operator.planning.choosing import rankings


def _entry(name: str, score: int) -> rankings.Entry:
    return (score,), name, (domain.span("0-3"),)


def test_node_moves_to_where_sorting_all_would_put_it() -> None:
    ranking = rankings.Ranking([_entry("w1", 1), _entry("w2", 2), _entry("w3", 3)])
    ranking.renew("w1", _entry("w1", 5), 1)
    ranking.renew("w4", _entry("w4", 2), 2)
    ranking.renew("w3", None, 3)
    assert [entry[1] for entry in ranking.entries] == ["w2", "w4", "w1"]
    assert ("w3" in ranking, "w4" in ranking) == (False, True)


def test_position_of_a_change_is_noted_only_when_there_was_one() -> None:
    ranking = rankings.Ranking([_entry("w1", 1)])
    ranking.renew("w1", _entry("w1", 1), 7)
    ranking.renew("w2", None, 8)
    assert ranking.changed_at == {}
    ranking.renew("w1", None, 9)
    assert ranking.changed_at == {"w1": 9}


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    kept: rankings.Recent[int] = rankings.Recent(2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 3)
