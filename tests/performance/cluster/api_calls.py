"""What the API server was asked to write, from its own counters. Pure."""

import collections
import re
from collections.abc import Iterator, Mapping

_LINE = re.compile(r"^apiserver_request_total\{([^}]*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_VERBS = frozenset({"POST", "PUT", "PATCH", "APPLY", "DELETE"})
_OWN = frozenset({"POST pods", "DELETECOLLECTION pods", "DELETE pods"})
"""What the measurement asks for itself."""
_HOUSEKEEPING = frozenset({"leases", "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews"})


def writes(metrics: str) -> dict[str, float]:
    """Return how often each write was asked for since the API server started: "PATCH neuronnodes", by answer or not.

    Without what the measurement does itself, and without leases and questions about rights, which no pod causes.
    """
    counted: collections.defaultdict[str, float] = collections.defaultdict(float)
    for labels, value in _requests(metrics):
        target = "/".join(filter(None, (labels["resource"], labels["subresource"])))
        call = f"{labels['verb']} {target}"
        if labels["verb"] in _VERBS and call not in _OWN and labels["resource"] not in _HOUSEKEEPING:
            counted[call] += value
    return dict(counted)


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return what came on top, without what did not change."""
    more = {call: count - before.get(call, 0.0) for call, count in after.items()}
    return {call: count for call, count in more.items() if count}


def _requests(metrics: str) -> Iterator[tuple[Mapping[str, str], float]]:
    for found in _LINE.finditer(metrics):
        yield collections.defaultdict(str, _LABEL.findall(found[1])), float(found[2])
