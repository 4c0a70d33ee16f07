import pytest

from kits.manifests import builders
from neuronspan_operator.objects import budgets, pods
from neuronspan_operator.planning.preemption import allowances


def _pod(name: str, app: str = "web") -> pods.PodView:
    return pods.read(builders.make_pod(name, labels={"app": app}))


def _allowance(*known: budgets.Budget) -> allowances.Allowance:
    return allowances.Allowance(known)


def _budget(name: str = "web", allowed: int = 1, app: str = "web", **status: object) -> budgets.Budget:
    return budgets.read(builders.make_budget(name, allowed=allowed, labels={"app": app}, **status))


@pytest.mark.parametrize(("allowed", "permitted"), [(0, False), (1, False), (2, True)])
def test_victims_of_one_budget_are_counted_together(allowed: int, permitted: bool) -> None:
    assert _allowance(_budget(allowed=allowed)).permits([_pod("a"), _pod("b")]) is permitted


def test_pods_without_a_budget_may_always_be_ended() -> None:
    assert _allowance(_budget(allowed=0)).permits([_pod("a", "other")])


def test_what_is_spent_is_not_there_any_more() -> None:
    allowance = _allowance(_budget(allowed=2))
    allowance.spend([_pod("a")])
    assert allowance.permits([_pod("b")])
    assert not allowance.permits([_pod("b"), _pod("c")])


def test_pod_with_two_budgets_is_never_ended() -> None:
    assert not _allowance(_budget("one", 5), _budget("two", 5)).permits([_pod("a")])


def test_pod_whose_end_is_counted_already_costs_nothing() -> None:
    allowance = _allowance(_budget(allowed=0, disruptedPods={"a": "2026-01-31T09:00:00Z"}))
    assert allowance.permits([_pod("a")])
    assert not allowance.permits([_pod("a"), _pod("b")])


def test_pods_that_end_anyway_are_counted_before() -> None:
    known = {"default/web": _budget(allowed=1)}
    assert not allowances.of(known, [_pod("a")]).permits([_pod("b")])
