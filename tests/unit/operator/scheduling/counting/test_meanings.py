from typing import Any

import pytest

from neuronspan_operator.objects.constraints import selectors
from neuronspan_operator.scheduling.counting import meanings

WEB = {"app": "web", "tier": "hot"}


def _meaning(raw: dict[str, Any] | None, *namespaces: str) -> meanings.Meaning:
    return meanings.Meaning(selectors.read(raw), frozenset(namespaces) or None)


def _one(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("meaning", "found"),
    [
        pytest.param(_meaning({"matchLabels": {"app": "web"}}), True, id="label"),
        pytest.param(_meaning({"matchLabels": {"app": "db"}}), False, id="other value"),
        pytest.param(_meaning({"matchLabels": {"app": "web"}}, "default", "lab"), True, id="namespaces"),
        pytest.param(_meaning({"matchLabels": {"app": "web"}}, "lab"), False, id="other namespace"),
        pytest.param(_meaning({"matchLabels": {"app": "web"}}, *map(str, range(20)), "default"), True, id="many homes"),
        pytest.param(_meaning(_one("app", "In", "db", "web")), True, id="one of several values"),
        pytest.param(_meaning(_one("app", "In", *map(str, range(20)), "web")), True, id="one of many values"),
        pytest.param(_meaning(_one("tier", "Exists")), True, id="any value"),
        pytest.param(_meaning(_one("zone", "Exists")), False, id="label that is missing"),
        pytest.param(_meaning(_one("app", "NotIn", "db")), True, id="not a value"),
        pytest.param(_meaning(_one("zone", "DoesNotExist"), "default"), True, id="not a label"),
        pytest.param(_meaning({}), True, id="everything"),
        pytest.param(_meaning(None), False, id="nothing"),
    ],
)
def test_index_finds_what_could_mean_a_pod(meaning: meanings.Meaning, *, found: bool) -> None:
    index: meanings.Index[str] = meanings.Index()
    index.put("item", meaning)
    assert index.possible("default", WEB) == ["item"] * found


def test_index_files_under_the_label_that_is_least_in_use() -> None:
    index: meanings.Index[int] = meanings.Index()
    for number in range(20):
        index.put(number, _meaning({"matchLabels": {"app": "web", "instance": str(number)}}, "default"))
    # the first had no reason to prefer either label
    assert index.possible("default", {"app": "web", "instance": "7"}) == [0, 7]


def test_index_forgets_what_is_dropped_and_keeps_its_like() -> None:
    index: meanings.Index[str] = meanings.Index()
    for item in ("first", "second"):
        index.put(item, _meaning(_one("app", "In", "web", "db"), "default", "lab"))
    index.drop("first")
    assert index.possible("lab", WEB) == ["second"]
    index.drop("second")
    assert index.possible("lab", WEB) == []
