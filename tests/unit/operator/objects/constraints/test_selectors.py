from typing import Any

import pytest

from neuronspan_operator.objects.constraints import selectors

LABELS = {"zone": "a", "generation": "2", "word": "ten", "empty": ""}


def _expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("expression", "admitted"),
    [
        (_expression("zone", "In", "b", "a"), True),
        (_expression("zone", "In", "b"), False),
        (_expression("absent", "In", ""), False),
        (_expression("empty", "In", ""), True),
        (_expression("zone", "NotIn", "b"), True),
        (_expression("zone", "NotIn", "a"), False),
        (_expression("absent", "NotIn", "a"), True),
        (_expression("empty", "Exists"), True),
        (_expression("absent", "Exists"), False),
        (_expression("absent", "DoesNotExist"), True),
        (_expression("empty", "DoesNotExist"), False),
        (_expression("generation", "Gt", "1"), True),
        (_expression("generation", "Gt", "2"), False),
        (_expression("generation", "Lt", "3"), True),
        (_expression("generation", "Lt", "2"), False),
        (_expression("absent", "Lt", "3"), False),
        (_expression("word", "Gt", "1"), False),
        (_expression("generation", "Gt", "one"), False),
        (_expression("generation", "Lt", "9223372036854775807"), True),
        (_expression("generation", "Lt", "9223372036854775808"), False),
        (_expression("generation", "Lt", "9" * 5000), False),
        (_expression("generation", "Gt", "-" + "0" * 5000 + "7"), True),
    ],
    ids=str,
)
def test_requirement_compares_as_its_operator_says(expression: dict[str, Any], *, admitted: bool) -> None:
    assert selectors.read({"matchExpressions": [expression]}).selects(LABELS) is admitted


def test_all_requirements_must_hold() -> None:
    raw = {"matchLabels": {"zone": "a"}, "matchExpressions": [_expression("generation", "In", "2")]}
    assert selectors.read(raw).selects(LABELS)
    assert not selectors.read(raw).selects(LABELS | {"zone": "b"})
    assert not selectors.read(raw).selects(LABELS | {"generation": "3"})


def test_absent_selector_means_nothing_and_an_empty_one_everything() -> None:
    assert not selectors.read(None).selects({})
    assert selectors.read({}).selects({})
    assert [selectors.read(raw).everything for raw in (None, {}, {"matchLabels": LABELS})] == [False, True, False]


def test_selector_with_an_operator_that_does_not_exist_means_nothing() -> None:
    selector = selectors.read({"matchExpressions": [_expression("zone", "Near", "a")]})
    assert not selector.selects(LABELS)
    assert not selector.everything


def test_narrowed_selector_means_what_both_mean() -> None:
    newer = [selectors.Requirement("generation", selectors.Operator.IN, ("2",))]
    assert selectors.EVERYTHING.narrowed(newer).selects(LABELS)
    assert not selectors.EVERYTHING.narrowed(newer).selects({})
    assert not selectors.NOTHING.narrowed(newer).selects(LABELS)
