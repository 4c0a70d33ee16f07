"""Names under keys, kept sorted."""

from neuronspan_operator.planning.explanations import shelves


def _filled(**under: int) -> "shelves.Shelves[int]":
    found: shelves.Shelves[int] = shelves.Shelves()
    for name, key in under.items():
        found.put(name, key)
    return found


def _content(found: "shelves.Shelves[int]") -> dict[int, list[str]]:
    return {shelf.key: shelf.names for shelf in found}


def test_names_are_kept_in_order_whatever_the_order_they_came_in() -> None:
    assert _content(_filled(c=1, a=1, d=2, b=1)) == {1: ["a", "b", "c"], 2: ["d"]}


def test_name_that_is_put_elsewhere_leaves_its_key() -> None:
    found = _filled(a=1, b=1)
    found.put("a", 2)
    found.put("b", 1)
    assert _content(found) == {1: ["b"], 2: ["a"]}
    assert (found.key_of("a"), found.key_of("b"), found.key_of("c")) == (2, 1, None)


def test_key_without_names_is_gone() -> None:
    found = _filled(a=1, b=2)
    found.drop("a")
    found.drop("a")
    assert _content(found) == {2: ["b"]}
    assert found.key_of("a") is None


def test_first_names_are_those_of_all_shelves_together() -> None:
    found = _filled(d=1, a=1, c=2, b=3)
    assert (shelves.first(found, 3), shelves.count(found)) == (["a", "b", "c"], 4)
