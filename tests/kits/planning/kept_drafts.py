"""A draft that is kept while the cluster changes, as its readers see it."""

from collections.abc import Iterable

from kits.manifests import snapshots
from neuronspan_operator.planning import facts, plans, renewal
from neuronspan_operator.planning.drafting import drafts


def make_draft(snapshot: plans.Snapshot) -> drafts.Draft:
    """Return a draft of that snapshot with nothing decided, but for the promises of stored grants."""
    known, draft = facts.Facts(), drafts.Draft()
    touched = known.fill(snapshot)
    draft.begin(known.snapshot(), snapshots.NOW)
    for name in sorted(renewal.absorb(draft, touched).nodes):
        draft.open_node(name)
    draft.count_promises(sorted(draft.nodes))
    return draft


def turn(kept: drafts.Draft, snapshot: plans.Snapshot, changed: Iterable[str]) -> None:
    """Make a draft what it would be of another snapshot, and note in its journal the nodes that are otherwise now."""
    now = vars(make_draft(snapshot))
    vars(kept).update({field: value for field, value in now.items() if field != "journal"})
    for name in changed:
        kept.journal.note(name)
