"""From what is decided to the plan that is carried out: everything that stands, in the order of ``plans.Plan``. Pure.

Law: nothing is decided here; equal drafts give equal plans.
"""

import collections
from typing import Any

from neuronspan_operator.planning import plans
from neuronspan_operator.planning.drafting import drafts, node_drafts
from neuronspan_operator.scheduling.volumes import claiming


def of(draft: drafts.Draft) -> plans.Plan:
    """Return everything that is to be done now."""
    if not draft.table.unsettled and not draft.parts.any_standing():
        return plans.Plan(waiting=draft.waiting, wake_at=draft.parts.wake_at(), news=draft.news())
    changed = [draft.nodes[name] for name in sorted(draft.table.unsettled) if not draft.nodes[name].settled]
    decided = [each for part in draft.parts.standing() for each in part.decisions]
    found: dict[type, list[Any]] = collections.defaultdict(list)
    for each in decided:
        found[type(each)].append(each)
    inquiries = {inquiry.uid: inquiry for inquiry in found[plans.Inquiry]}
    return plans.Plan(
        ledgers=tuple(_write(node) for node in changed),
        bindings=tuple(found[plans.Bind]),
        ungates=tuple(found[plans.Ungate]),
        claims=tuple([each for each in decided if isinstance(each, claiming.Write)]),
        patches=tuple(found[plans.PodPatch]),
        inquiries=tuple(inquiries[uid] for uid in sorted(inquiries)),
        evictions=tuple(found[plans.Evict]),
        notices=tuple(found[plans.Notice]),
        waiting=draft.waiting,
        drift=tuple(found[plans.Drift]),
        wake_at=draft.parts.wake_at(),
        news=draft.news(),
    )


def _write(node: node_drafts.NodeDraft) -> plans.LedgerWrite:
    return plans.LedgerWrite(node.name, node.view.resource_version, node.ledger, tuple(node.why))
