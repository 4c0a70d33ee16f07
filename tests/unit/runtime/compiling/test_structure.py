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


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(None, "the output is NoneType", id="none"),
        pytest.param((1, "text"), r"the output\[1\] is str", id="text"),
        pytest.param((), "the output is tuple", id="empty"),
        pytest.param(
            {"past": (1, 2)}, r"the output\['past'\] is tuple: a dict may only hold tensors", id="nested dict"
        ),
        pytest.param({1: 2}, r"the output\[1\] is int: a dict may only hold tensors under string keys", id="int key"),
    ],
)
def test_structure_refuses_what_torchscript_cannot_pass(value: Any, message: str) -> None:
    with pytest.raises(errors.TraceRefused, match=message):
        structure.structure_of(value, is_leaf, "the output")
