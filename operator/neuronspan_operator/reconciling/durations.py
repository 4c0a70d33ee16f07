"""How long the stages of a grant's life took, read off two versions of a ledger. Pure."""

import datetime as dt
from collections.abc import Iterator, Mapping

from neuronspan import grants, ledger
from neuronspan_operator.objects import pods

GRANTED = "granted"  # pod created -> in the ledger
BOUND = "bound"  # in the ledger -> bound to its node; of a guest: gate removed
CONFIRMED = "confirmed"  # in the ledger -> held on the node
RELEASED = "released"  # pod over -> cores free


def passed(
    before: ledger.Ledger, after: ledger.Ledger, known_pods: Mapping[str, pods.PodView], now: dt.datetime
) -> Iterator[tuple[str, float]]:
    """Yield each stage that ended with this change of the ledger, and its seconds."""
    old = {grant.key: grant for grant in before.grants}
    for grant in after.grants:
        earlier = old.pop(grant.key, None)
        if earlier is None:
            pod = known_pods.get(grant.pod_uid)
            if pod is not None and grant.state is grants.GrantState.GRANTED:
                yield GRANTED, seconds_since(pod.created, now)
        elif earlier.state is grants.GrantState.GRANTED and grant.state is grants.GrantState.CONFIRMED:
            yield CONFIRMED, seconds_since(earlier.since, now)
    for gone in old.values():
        if gone.state is grants.GrantState.RELEASING:
            yield RELEASED, seconds_since(gone.since, now)


def seconds_since(moment: str, now: dt.datetime) -> float:
    """Seconds from an RFC 3339 time until now; 0 for one that is unreadable, or ahead because clocks differ."""
    try:
        started = dt.datetime.fromisoformat(moment)
    except ValueError:
        return 0.0
    if started.tzinfo is None:
        return 0.0
    return max(0.0, (now - started).total_seconds())
