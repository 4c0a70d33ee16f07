"""A mapping in the order of its names."""

import pytest

from neuronspan_operator.pools import by_name


def test_names_are_in_order_however_they_came() -> None:
    made = by_name.ByName[int]()
    for number, name in enumerate(["b", "d", "a", "c", "b"]):
        made[name] = number
    assert list(made.items()) == [("a", 2), ("b", 4), ("c", 3), ("d", 1)]
    del made["b"]
    assert (list(made), len(made), "b" in made) == (["a", "c", "d"], 3, False)


def test_name_that_is_not_there_cannot_be_taken_out() -> None:
    made = by_name.ByName[int]()
    made["b"] = 1
    with pytest.raises(KeyError, match="a"):
        del made["a"]
    assert list(made) == ["b"]


def test_it_equals_what_says_the_same() -> None:
    made = by_name.ByName[int]()
    made["a"] = 1
    assert made == {"a": 1}
    assert made != {"a": 2}
