"""Ratios and the table of a comparison that is given."""

import dataclasses

from performance.cluster import figures, measuring


def _run(seconds: float) -> figures.Run:
    return figures.Run(
        {"a": 0.0, "b": 0.01}, {"a": 0.01, "b": seconds}, {"operator": 0.002}, tail_seconds={"operator": 0.001}
    )


RESULT = measuring.Comparison(
    nodes=3,
    pods=2,
    runs={"plain": [_run(0.1), _run(0.2)], "cores": [_run(0.2), _run(0.2)]},
    idle_milliseconds={"plain": [10.0, 20.0], "cores": [30.0, 40.0]},
)


def test_rounds_are_compared_with_each_other() -> None:
    assert RESULT.speed_ratios() == [0.5, 1.0]
    assert RESULT.idle_ratios() == [3.0, 2.0]


def test_the_table_has_both_sides_and_their_ratio() -> None:
    lines = measuring.table(RESULT).splitlines()
    assert lines[0] == "| 3 nodes, 2 pods | plain | with NeuronCores | ratio |"
    assert lines[2] == "| pods/s, median of the rounds | 15 | 10 | 0.67 |"
    assert lines[3] == "| pods/s in one second, average | 15 | 10 | 0.67 |"
    assert lines[4] == "| pods/s taken by the API server, median | 100 | 100 | 1.00 |"
    assert "| create to bound on the idle cluster, p50, ms | 10 | 30 | 3.00 |" in lines
    assert "| CPU time of operator per pod, ms | 1 | 1 | 1.00 |" in lines
    assert "| … of it when all pods were bound, operator, ms | 0.5 | 0.5 | 1.00 |" in lines
    assert len({line.count("|") for line in lines}) == 1


def test_calls_are_told_per_pod_of_each_kind() -> None:
    bound = {"POST pods/binding": 2.0}
    plain = dataclasses.replace(_run(0.1), writes=bound)
    ours = dataclasses.replace(_run(0.1), writes={**bound, "PATCH neuronnodes": 1.0})
    result = dataclasses.replace(RESULT, runs={"plain": [plain], "cores": [ours]})
    assert measuring.calls(result).splitlines()[2:] == [
        "| PATCH neuronnodes | 0.00 | 0.50 |",
        "| POST pods/binding | 1.00 | 1.00 |",
    ]
