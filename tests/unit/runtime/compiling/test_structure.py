from typing import Any

import pytest

from neuronspan_runtime import errors
from neuronspan_runtime.compiling import structure


def is_leaf(value: Any) -> bool:
    return isinstance(value, int)


CASES = [
    pytest.param(1, "Tensor", [1], "o0", 1, id="one tensor"),
    pytest.param((1, 2), "Tuple[Tensor, Tensor]", [1, 2], "(o0, o1,)", (1, 2), id="tuple"),
    pytest.param((1,), "Tuple[Tensor]", [1], "(o0,)", (1,), id="tuple of one"),
    pytest.param((), "Tuple[()]", [], "()", (), id="empty tuple"),
    pytest.param((1, ()), "Tuple[Tensor, Tuple[()]]", [1], "(o0, (),)", (1, ()), id="empty tuple in a tuple"),
    pytest.param([1, 2], "List[Tensor]", [1, 2], "[o0, o1]", [1, 2], id="list"),
    pytest.param({"b": 1, "a": 2}, "Dict[str, Tensor]", [1, 2], "{'b': o0, 'a': o1}", {"b": 1, "a": 2}, id="dict"),
    pytest.param((1, (2, {"k": 3}), [4]), "Tuple[Tensor, Tuple[Tensor, Dict[str, Tensor]], List[Tensor]]",
                 [1, 2, 3, 4], "(o0, (o1, {'k': o2},), [o3],)", (1, (2, {"k": 3}), [4]), id="nested"),
    pytest.param([1, (2, 3)], "Tuple[Tensor, Tuple[Tensor, Tensor]]", [1, 2, 3], "(o0, (o1, o2,),)", (1, (2, 3)),
                 id="mixed list becomes a tuple"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "type_text", "leaves", "text", "rebuilt"), CASES)
def test_structure_takes_a_value_apart_and_puts_it_together(
    value: Any, type_text: str, leaves: list[int], text: str, rebuilt: Any
) -> None:
    found = structure.structure_of(value, is_leaf, "the output")
    assert found.type_text() == type_text
    assert found.leaves_of(value) == leaves
    assert found.built(iter(leaves)) == rebuilt
    assert found.built_text(f"o{index}" for index in range(9)) == text


def test_structure_names_the_leaves_of_an_expression() -> None:
    found = structure.structure_of((1, [2], {"it's": 3}), is_leaf, "x")
    assert found.leaf_texts("x") == ["x[0]", "x[1][0]", 'x[2]["it\'s"]']


def test_structure_writes_keys_beyond_ascii_as_torchscript_reads_them() -> None:
    assert structure.Keyed(("größe",)).leaf_texts("x") == ['x["\\147\\162\\303\\266\\303\\237\\145"]']


def test_empty_containers_stay_and_those_that_become_empty_go() -> None:
    whole = structure.structure_of((1, (), (2,)), is_leaf, "the output")
    assert structure.without(whole, {1}) == structure.structure_of((1, ()), is_leaf, "the output")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(None, r"the output is NoneType.*leave it out", id="none"),
        pytest.param((1, "text"), r"the output\[1\] is str.*make it a tensor", id="text"),
        pytest.param((1, []), r"the output\[1\] is an empty list.*leave it out", id="empty list"),
        pytest.param({}, "the output is an empty dict.*leave it out", id="empty dict"),
        pytest.param(
            {"past": (1, 2)}, r"the output\['past'\] is tuple: a dict may only hold tensors", id="nested dict"
        ),
        pytest.param({1: 2}, r"the output has the key 1, of type int: .* Use '1', or a tuple", id="int key"),
    ],
)
def test_structure_refuses_what_torchscript_cannot_pass(value: Any, message: str) -> None:
    with pytest.raises(errors.TraceRefused, match=message):
        structure.structure_of(value, is_leaf, "the output")
