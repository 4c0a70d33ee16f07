"""An event costs what changed: counted on the planner as it is, and on planners that were made worse on purpose."""

import datetime as dt

import pytest

from neuronspan_operator.planning import facts, planner, plans
from performance import checking, sampling
from performance.planner import flatness

LIMITS = [entry.limit for entry in checking.read() if entry.limit.case == "planner_steps"]


def _missed(samples: sampling.Samples) -> set[str]:
    found = [checking.Entry(each, checking.measured(samples[each.quantity], each.statistic)) for each in LIMITS]
    return {entry.limit.quantity for entry in checking.missed(found)}


class _Walking(planner.Planner):
    """Looks at every node at every event, and does nothing with it."""

    def plan(self, changes: facts.Changes, now: dt.datetime) -> plans.Plan:
        found = super().plan(changes, now)
        for name in self.facts.snapshot().nodes:
            assert name
        return found


class _Copying(planner.Planner):
    """Copies the table of all nodes at every event, in C."""

    def plan(self, changes: facts.Changes, now: dt.datetime) -> plans.Plan:
        found = super().plan(changes, now)
        return found if dict(self.facts.snapshot().nodes) else plans.Plan()


class _Asking(planner.Planner):
    """Looks at every waiting pod at every event."""

    def plan(self, changes: facts.Changes, now: dt.datetime) -> plans.Plan:
        found = super().plan(changes, now)
        assert all(why.message for why in found.waiting.values())
        return found


class _Sorting(planner.Planner):
    """Looks at every kind of waiting pods at every event."""

    def plan(self, changes: facts.Changes, now: dt.datetime) -> plans.Plan:
        found = super().plan(changes, now)
        assert all(unit.order for unit in self._draft.queue)
        return found


def test_an_event_costs_what_changed_whatever_the_size_of_the_cluster() -> None:
    assert _missed(flatness.samples()) == set()


@pytest.mark.parametrize("regression", [_Walking, _Asking, _Sorting])
def test_a_walk_over_all_nodes_or_waiting_pods_or_their_kinds_is_caught_at_every_kind_of_event(
    regression: type[planner.Planner],
) -> None:
    assert _missed(flatness.samples(regression)) >= {
        each.quantity for each in LIMITS if each.quantity.endswith("_steps")
    }


def test_a_copy_of_the_table_of_all_nodes_is_caught() -> None:
    assert "rest_bytes" in _missed(flatness.samples(_Copying))
