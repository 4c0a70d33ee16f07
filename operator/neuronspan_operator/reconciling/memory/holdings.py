"""Which pods ledgers and plugins mention, and how far their grants are.

Law: it says what a look at all NeuronNodes would find, and is kept by those that changed.
"""

from collections.abc import Container, Mapping
from typing import Final

from neuronspan import grants, ledger
from neuronspan_operator.objects import pools

_State = grants.GrantState | None
"""Of a pod on a node: None when only its plugin mentions the pod."""

_RANKS: Final[Mapping[_State, int]] = {
    None: 0,
    grants.GrantState.RELEASING: 1,
    grants.GrantState.GRANTED: 2,
    grants.GrantState.CONFIRMED: 3,
}


class Holdings:
    """Pods by UID; a UID is ``in`` it when a ledger or a plugin mentions the pod."""

    def __init__(self) -> None:
        self.ledgers: dict[str, ledger.Ledger] = {}  # by node
        self.granted: Container[str] = _Granted(self)
        self._on: dict[str, Mapping[str, _State]] = {}  # by node and UID
        self._of: dict[str, dict[str, _State]] = {}  # by UID and node

    def __contains__(self, uid: object) -> bool:
        return uid in self._of

    def state(self, uid: str) -> grants.GrantState | None:
        """Return the state of a pod's grants, the furthest of them; None when it has none."""
        return max(self._of.get(uid, {}).values(), key=_RANKS.__getitem__, default=None)

    def take(self, changed: Mapping[str, pools.Member | None]) -> set[str]:
        """Take NeuronNodes that changed, by name; return the UIDs about which they say something else now."""
        affected: set[str] = set()
        for node, member in changed.items():
            book = None if member is None else member.view.ledger
            if book is None:
                self.ledgers.pop(node, None)
            else:
                self.ledgers[node] = book
            affected |= self._replace(node, _mentioned(member))
        return affected

    def _replace(self, node: str, after: Mapping[str, _State]) -> set[str]:
        before = self._on.pop(node, {})
        if after:
            self._on[node] = after
        affected = dict(before.items() ^ after.items()).keys()
        for uid in affected:
            of_pod = self._of.setdefault(uid, {})
            of_pod.pop(node, None)
            if uid in after:
                of_pod[node] = after[uid]
            if not of_pod:
                del self._of[uid]
        return set(affected)


class _Granted:
    """The UIDs of pods with a grant in a stored ledger."""

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings

    def __contains__(self, uid: object) -> bool:
        return isinstance(uid, str) and self._holdings.state(uid) is not None


def _mentioned(member: pools.Member | None) -> dict[str, _State]:
    if member is None:
        return {}
    found: dict[str, _State] = dict.fromkeys((held.pod_uid for held in member.view.held), None)
    for grant in () if member.view.ledger is None else member.view.ledger.grants:
        found[grant.pod_uid] = max(found.get(grant.pod_uid), grant.state, key=_RANKS.__getitem__)
    return found
