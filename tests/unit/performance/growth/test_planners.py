"""Games of several planners: what is stored, what they cost each other, and what dividing the work gains."""

import pytest

from performance.growth import costs, planners

COSTS = costs.Costs(planning=0.0005, rest_of_operator=0.0045, event=0.0002, pools=0.0, apiserver=0.015)


def _play(count: int, choice: planners.Choice, **fields: float | bool) -> tuple[planners.Game, planners.Outcome]:
    setting = planners.Setting(**({"nodes": 200, "planners": count, "pods": 300, "choice": choice} | fields))  # type: ignore[arg-type]
    game = planners.Game(setting, COSTS)
    return game, game.play()


@pytest.mark.parametrize("choice", planners.Choice)
@pytest.mark.parametrize("pods", [100, 1000])
def test_no_node_ever_gets_more_than_it_has_room_for(choice: planners.Choice, pods: int) -> None:
    game, outcome = _play(8, choice, pods=pods)
    assert min(game.stored) >= 0
    assert outcome.bound == 200 * 4 - sum(game.stored)
    assert outcome.bound <= pods


@pytest.mark.parametrize("choice", planners.Choice)
def test_all_pods_are_bound_where_there_is_room_for_all(choice: planners.Choice) -> None:
    assert _play(4, choice)[1].bound == 300


def test_one_planner_never_conflicts() -> None:
    assert _play(1, planners.Choice.SAME)[1].conflicts == 0


def test_planners_with_nodes_of_their_own_never_conflict() -> None:
    assert _play(8, planners.Choice.SHARES)[1].conflicts == 0


def test_planners_that_choose_alike_are_in_each_others_way() -> None:
    alike, apart = (_play(8, choice)[1] for choice in (planners.Choice.SAME, planners.Choice.APART))
    assert alike.conflicts > 4 * apart.conflicts
    assert alike.pods_per_second < apart.pods_per_second


def test_what_others_wrote_costs_time_unless_it_is_not_watched() -> None:
    everything, own = (
        _play(4, planners.Choice.SHARES, nodes=1000, pods=2000, watches_all=every)[1] for every in (True, False)
    )
    assert own.pods_per_second > everything.pods_per_second
    assert own.planners_busy < everything.planners_busy


def test_the_api_server_bounds_what_any_number_of_planners_can_do() -> None:
    _, outcome = _play(16, planners.Choice.SHARES, processors=1, nodes=400, pods=1000, watches_all=False)
    least = COSTS.binding + COSTS.other_writes + COSTS.ledger_write / 4  # four pods in one write fill a node
    assert outcome.pods_per_second <= 1 / least
    assert outcome.apiserver_busy / outcome.seconds == pytest.approx(1, abs=0.1)


def test_the_same_seed_plays_the_same_game() -> None:
    assert (
        _play(4, planners.Choice.APART, arrivals_per_second=50.0)[1]
        == _play(4, planners.Choice.APART, arrivals_per_second=50.0)[1]
    )
