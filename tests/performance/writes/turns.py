"""Calls in turns, each prepared apart: what disturbs the machine meanwhile disturbs all of them."""

import pathlib
from collections.abc import Callable, Mapping, Sequence

Call = Callable[[], object]

WARM_UP = 20
"""Rounds that are not counted: the API server's caches and programs are filled by then."""


def milliseconds(
    prepared: Mapping[str, Callable[[int], Call]], rounds: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Return what each call took, round by round; preparing it, with the number of the round, is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in prepared}
    for number in range(-WARM_UP, rounds):
        for name in list(prepared)[:: -1 if number % 2 else 1]:
            call = prepared[name](number)
            start = clock()
            call()
            if number >= 0:
                taken[name].append(clock() - start)
    return taken


def ratios(subject: Sequence[float], reference: Sequence[float]) -> list[float]:
    """Return one over the other, round by round."""
    return [one / other for one, other in zip(subject, reference, strict=True)]


def processor_milliseconds(pid: int) -> float:
    """Return the CPU time of a process's threads so far, as exactly as the scheduler knows it."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text(encoding="ascii").split()[0]) for task in tasks) / 1e6
