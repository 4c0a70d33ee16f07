"""Which cores a container gets, or why none.

Law: an answer is always one run of free cores inside the node; a refusal says the largest free run and what would fit.
"""

from collections.abc import Iterable, Sequence

from neuronspan import instance_types, placement, spans
from neuronspan.fitting import refusals, searching, windows


def place(
    hardware: instance_types.Hardware,
    taken: Iterable[spans.CoreSpan],
    request: placement.Request,
    packing: placement.Packing,
) -> spans.CoreSpan | placement.Unplaceable:
    """Return the cores for one container, or why there are none."""
    answer = place_all(hardware, taken, (request,), packing)
    return answer if isinstance(answer, placement.Unplaceable) else answer[0]


def place_all(
    hardware: instance_types.Hardware,
    taken: Iterable[spans.CoreSpan],
    requests: Sequence[placement.Request],
    packing: placement.Packing,
) -> searching.Spans | placement.Unplaceable:
    """Return the cores for each of a pod's containers, in the order of the requests, or why they do not all fit.

    The hardest are placed first (given cores, then those that may not start anywhere, then more cores). When that leads
    nowhere every other combination is tried; after ``SEARCH_LIMIT`` positions it gives up, and the refusal says so.
    """
    free = windows.free_cores(hardware.cores, taken)
    search = searching.Search(hardware, packing, requests)
    found = search.run(free)
    return refusals.joint(search, free) if found is None else search.in_order_of_requests(found)


def find_all(
    hardware: instance_types.Hardware,
    taken: Iterable[spans.CoreSpan],
    requests: Sequence[placement.Request],
    packing: placement.Packing,
) -> searching.Spans | None:
    """Return what ``place_all`` does, None in place of a refusal: its sentence costs more than the search."""
    search = searching.Search(hardware, packing, requests)
    found = search.run(windows.free_cores(hardware.cores, taken))
    return None if found is None else search.in_order_of_requests(found)
