"""The changes between two ledgers of a node as parts that can be stored without each other. Pure.

Law: any subset of the parts, on the ledger before, is a ledger; all of them are the ledger after. What belongs to one
pod is one part, and so is what changes places.
"""

import dataclasses
import itertools
from collections.abc import Collection, Iterable

from neuronspan import grants, ledger


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Grants that are stored together or not at all."""

    keys: frozenset[grants.Key]

    @property
    def uids(self) -> frozenset[str]:
        """UIDs of the pods whose grants these are."""
        return frozenset(uid for uid, _ in self.keys)


def split(before: ledger.Ledger, after: ledger.Ledger) -> tuple[Part, ...]:
    """Return the parts of a change, in a fixed order."""
    old, new = ({grant.key: grant for grant in book.grants} for book in (before, after))
    changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    groups = [{key} for key in changed]
    for one, other in itertools.permutations(changed, 2):
        arriving, leaving = new.get(one), old.get(other)
        takes_over = arriving is not None and leaving is not None and arriving.span.overlaps(leaving.span)
        if one[0] == other[0] or takes_over:
            groups = _joined(groups, one, other)
    return tuple(sorted((Part(frozenset(group)) for group in groups), key=lambda part: sorted(part.keys)))


def _joined(groups: list[set[grants.Key]], one: grants.Key, other: grants.Key) -> list[set[grants.Key]]:
    concerned = [group for group in groups if one in group or other in group]
    rest = [group for group in groups if group not in concerned]
    return [*rest, set().union(*concerned)]


def only(before: ledger.Ledger, after: ledger.Ledger, parts: Iterable[Part]) -> ledger.Ledger:
    """Return the ledger before with these parts of the change."""
    keys: Collection[grants.Key] = {key for part in parts for key in part.keys}
    kept = (grant for grant in before.grants if grant.key not in keys)
    taken = (grant for grant in after.grants if grant.key in keys)
    return dataclasses.replace(before, grants=(*kept, *taken))
