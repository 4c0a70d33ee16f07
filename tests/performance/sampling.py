"""Two things measured in turns, batch after batch: what disturbs the machine meanwhile disturbs both."""

import gc
import math
import pathlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence

Samples = Mapping[str, Sequence[float]]
"""What a case measured: one number per round of each of its quantities."""

BATCH_SECONDS = 0.02
"""Long against the clock's own cost, short against a time slice."""


def alternating(
    reference: Callable[[], object],
    subject: Callable[[], object],
    *,
    rounds: int = 31,
    clock: Callable[[], float] = time.thread_time,
) -> list[tuple[float, float]]:
    """Return seconds per call of both, round by round.

    The clock is this thread's CPU time: both run in the calling thread, and other processes' turns are not theirs.
    """
    counts = [calls_per_batch(function, clock) for function in (reference, subject)]
    taken = []
    gc.disable()
    for number in range(rounds):
        times = [0.0, 0.0]
        for index in (0, 1) if number % 2 else (1, 0):
            times[index] = seconds_per_call((reference, subject)[index], counts[index], clock)
        taken.append((times[0], times[1]))
    gc.enable()
    return taken


def calls_per_batch(function: Callable[[], object], clock: Callable[[], float]) -> int:
    """Return how many calls take about a batch's time; they also warm it up."""
    calls = 1
    while (seconds := seconds_per_call(function, calls, clock)) * calls < BATCH_SECONDS / 4:
        calls *= 2
    return max(1, math.ceil(BATCH_SECONDS / seconds))


def seconds_per_call(function: Callable[[], object], calls: int, clock: Callable[[], float]) -> float:
    """Call it so often and return the mean."""
    start = clock()
    for _ in range(calls):
        function()
    return (clock() - start) / calls


def ratios(pairs: Sequence[tuple[float, float]]) -> list[float]:
    """Return subject / reference of each round."""
    return [subject / reference for reference, subject in pairs]


def calls_per_second(function: Callable[[], object], clients: int, seconds: float) -> float:
    """Return how many calls so many threads complete together in a second of wall time."""
    end = time.perf_counter() + seconds
    counts = [0] * clients

    def work(client: int) -> None:
        while time.perf_counter() < end:
            function()
            counts[client] += 1

    threads = [threading.Thread(target=work, args=(client,)) for client in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


def resident_bytes() -> int:
    """Return this process's resident memory."""
    fields = dict(
        line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    )
    return int(fields["VmRSS"].split()[0]) * 1024
