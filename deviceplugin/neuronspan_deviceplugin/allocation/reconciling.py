"""What kubelet's checkpoint, the ledger and the pods' processes make of the record of who holds which cores.

Law: pure; a holding ends on proof alone, and what cannot be read or seen proves nothing.
"""

import dataclasses
from collections.abc import Collection, Sequence

from neuronspan import grants, ledger
from neuronspan_deviceplugin.allocation import holdings


def reconciled(
    current: holdings.Holdings,
    placed: Sequence[holdings.Placed] | None,
    book: ledger.Ledger | None,
    alive: holdings.Alive,
    now: float,
    *,
    outdated: Collection[holdings.Placed] = (),
) -> holdings.Holdings:
    """Complete the record from kubelet's checkpoint (None: unreadable), the ledger and the pods' processes.

    Identifies holdings, notes first processes, takes in what kubelet knows and we do not, and drops what is over.
    ``outdated`` entries say nothing of who has cores now, and still keep a holder whose processes cannot be seen.
    """
    listed = placed or ()
    naming = tuple(each for each in listed if each not in outdated)
    known = tuple(_completed(each, book, alive) for each in _identified(current, naming))
    containers = {holdings.container_of(each) for each in known}
    unknown = (each for each in naming if holdings.container_of(each) not in containers)
    found = (
        _completed(_recorded(holdings.Holding(each.resource, each.span, now), each), book, alive) for each in unknown
    )
    return (
        *(each for each in known if _is_kept(each, listed, book, alive) or _is_fresh(each, book, now)),
        *(each for each in found if _is_kept(each, listed, book, alive)),
    )


def _identified(current: holdings.Holdings, placed: Sequence[holdings.Placed]) -> holdings.Holdings:
    """Let kubelet's record say whose the cores of each holding are; what it does not mention stays as it is."""
    claimed = {holdings.container_of(each) for each in current if each.certain}
    known: list[holdings.Holding] = []
    for holding in current:
        entry = _entry_of(holding, placed) if holding.certain else _entry_at(holding, placed, claimed)
        if entry is not None:
            claimed.add(holdings.container_of(entry))
        known.append(holding if entry is None else _recorded(holding, entry))
    return tuple(known)


def _entry_of(holding: holdings.Holding, placed: Sequence[holdings.Placed]) -> holdings.Placed | None:
    return next((each for each in placed if holdings.container_of(each) == holdings.container_of(holding)), None)


def _entry_at(
    holding: holdings.Holding, placed: Sequence[holdings.Placed], claimed: Collection[tuple[str, str, str]]
) -> holdings.Placed | None:
    """Return the entry for the holding's cores: that of the container we expect if it is there, else another's."""
    place = holdings.place_of(holding)
    fitting = [
        each for each in placed if holdings.place_of(each) == place and holdings.container_of(each) not in claimed
    ]
    return min(fitting, key=lambda each: holdings.container_of(each) != holdings.container_of(holding), default=None)


def _recorded(holding: holdings.Holding, entry: holdings.Placed) -> holdings.Holding:
    """Return the holding as kubelet recorded it; what was known of another pod or other cores is forgotten."""
    if entry.pod_uid != holding.pod_uid:
        holding = dataclasses.replace(holding, namespace="", pod="", started=False, verified=False)
    verified = holding.verified and entry.span == holding.span
    return dataclasses.replace(
        holding,
        pod_uid=entry.pod_uid,
        container=entry.container,
        span=entry.span,
        former=entry.former,
        certain=True,
        verified=verified,
    )


def _completed(holding: holdings.Holding, book: ledger.Ledger | None, alive: holdings.Alive) -> holdings.Holding:
    if not holding.pod_uid:
        return holding
    if book is not None and not holding.pod:
        grant = next(iter(book.of_pod(holding.pod_uid)), None)
        if grant is not None:
            holding = dataclasses.replace(holding, namespace=grant.namespace, pod=grant.pod)
    if not holding.started and alive(holding.pod_uid):
        holding = dataclasses.replace(holding, started=True)
    return holding


def _is_kept(
    holding: holdings.Holding, placed: Sequence[holdings.Placed], book: ledger.Ledger | None, alive: holdings.Alive
) -> bool:
    lives = alive(holding.pod_uid) if holding.pod_uid else False
    if lives:
        return True
    if lives is None or book is None:  # no proof that it is over: keep what kubelet or the ledger still knows
        return bool(_states(holding, book)) or _entry_of(holding, placed) is not None
    return bool(_states(holding, book) & holdings.ACTIVE)


def _is_fresh(holding: holdings.Holding, book: ledger.Ledger | None, now: float) -> bool:
    releasing = grants.GrantState.RELEASING in _states(holding, book)
    return not holding.started and not releasing and holdings.is_recent(holding, now)


def _states(holding: holdings.Holding, book: ledger.Ledger | None) -> frozenset[grants.GrantState]:
    if book is None or not holding.pod_uid:
        return frozenset()
    return frozenset(grant.state for grant in book.of_pod(holding.pod_uid))
