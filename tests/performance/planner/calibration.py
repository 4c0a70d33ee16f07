"""How slow this machine is just now, so that limits in milliseconds mean the same on every machine.

A fixed piece of plain Python, of the kind that planning is made of (dictionaries, small objects, tuples, texts), is
timed beside every measurement. Law: what it does never changes, or old numbers would mean something else.
"""

import dataclasses
import time

REFERENCE_SECONDS = 0.029
"""CPU time of one run on the machine on which the limits were set, with nothing else running."""
_OBJECTS = 8000


@dataclasses.dataclass(frozen=True, slots=True)
class _Thing:
    name: str
    key: tuple[str, int]
    amount: int


def seconds() -> float:
    """Return the CPU time of one run."""
    start = time.thread_time()
    _work()
    return time.thread_time() - start


def slowness(runs: int = 5) -> float:
    """Return how many times as long as on the reference machine plain Python takes now: the least of some runs."""
    return min(seconds() for _ in range(runs)) / REFERENCE_SECONDS


def _work() -> int:
    by_key: dict[tuple[str, int], _Thing] = {}
    for number in range(_OBJECTS):
        name = f"node-{number:05d}"
        thing = _Thing(name, (name, number % 7), number)
        by_key[thing.key] = thing
    groups: dict[int, list[_Thing]] = {}
    for (_, group), thing in by_key.items():
        groups.setdefault(group, []).append(dataclasses.replace(thing, amount=thing.amount + group))
    return sum(each.amount for members in groups.values() for each in sorted(members, key=lambda one: one.name))
