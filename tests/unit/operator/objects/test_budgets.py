from typing import Any

import pytest

from kits.manifests import builders
from neuronspan_operator.objects import budgets, pods


def test_budget_says_how_many_may_be_ended_and_whose_end_is_counted() -> None:
    found = budgets.read(builders.make_budget(allowed=2, disruptedPods={"web-1": "2026-01-31T09:00:00Z"}))
    assert (found.key, found.allowed, found.disrupted) == ("default/web", 2, frozenset({"web-1"}))


def test_budget_that_changed_since_it_was_counted_allows_nothing() -> None:
    assert budgets.read(builders.make_budget(allowed=2, observedGeneration=0)).allowed == 0


@pytest.mark.parametrize(
    ("spec", "covered"),
    [
        pytest.param({"selector": {"matchLabels": {"app": "web"}}}, True, id="its labels"),
        pytest.param({"selector": {"matchLabels": {"app": "other"}}}, False, id="other labels"),
        pytest.param({"selector": {}}, True, id="an empty selector means everything"),
        pytest.param({}, False, id="no selector means nothing"),
    ],
)
def test_budget_covers_the_pods_that_its_selector_means(spec: dict[str, Any], covered: bool) -> None:
    budget = budgets.read({**builders.make_budget(), "spec": spec})
    assert budget.covers(pods.read(builders.make_pod(labels={"app": "web"}))) is covered


def test_budget_covers_no_pod_of_another_namespace() -> None:
    budget = budgets.read(builders.make_budget())
    assert not budget.covers(pods.read(builders.make_pod(namespace="other")))
