"""Drives a planner as the operator's loop does: changes in, a plan out, and what the plan wrote back in as changes."""

import dataclasses
import datetime as dt
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from neuronspan import grants
from neuronspan_operator.objects import neuron_nodes, pod_changes, pods, pools
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.planning import facts, planner, plans, snapshot

NOW = dt.datetime(2026, 1, 31, 10, 0, tzinfo=dt.UTC)
_MOST_ROUNDS = 20


class NoRestError(Exception):
    """Plans went on although nothing changed but what they wrote; the message has the last one's size."""


class Planner(Protocol):
    """What answers changes with a plan."""

    def plan(self, changes: facts.Changes, now: dt.datetime) -> plans.Plan:
        """Return everything that is to be done now."""


_KEYED = "pods", "nodes", "members", "pools", "namespaces", "gone"


class FromScratch:
    """Plans on the whole cluster again at every change: what an incremental planner is compared with."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = {name: {} for name in _KEYED}

    def plan(self, changes: facts.Changes, now: dt.datetime) -> plans.Plan:
        """Return everything that is to be done now."""
        for name, kept in self._known.items():
            for key, value in getattr(changes, name).items():
                if value is None:
                    kept.pop(key, None)
                else:
                    kept[key] = value
        return planner.plan(self._snapshot(), now)

    def _snapshot(self) -> plans.Snapshot:
        known = self._known
        return snapshot.of(
            known["pods"],
            known["nodes"],
            known["members"],
            known["pools"],
            namespaces=known["namespaces"],
            stored=storage.EMPTY,
            gone=frozenset(uid for uid, gone in known["gone"].items() if gone),
        )


def kept() -> Planner:
    """Return the planner as the operator has it."""
    return planner.Planner()


class Loop:
    """A planner with the ledgers and bindings that it has written."""

    def __init__(self, planned_by: Planner, everything: facts.Changes) -> None:
        self.planner = planned_by
        self.now = NOW
        self._members: dict[str, pools.Member] = {}
        self._versions: Iterator[int] = itertools.count(1000)
        self.settle(everything)

    def settle(self, changes: facts.Changes) -> dict[str, str]:
        """Plan until nothing is left to do; return the node of each pod that was bound on the way, by UID.

        Raises NoRestError when that takes too many rounds.
        """
        bound: dict[str, str] = {}
        for _ in range(_MOST_ROUNDS):
            found = self.planner.plan(changes, self.now)
            self._members |= {name: member for name, member in changes.members.items() if member is not None}
            changes = self._written(found)
            bound |= {each.pod.uid: each.node for each in found.bindings}
            if not (changes.members or changes.pods):
                return bound
        raise NoRestError(f"{_MOST_ROUNDS} rounds without rest, the last one with {len(found.ledgers)} ledgers")

    def confirmed(self, bound: Mapping[str, str]) -> facts.Changes:
        """Return what the plugins report when the containers of these pods have started."""
        members: dict[str, pools.Member] = {}
        for uid, node in bound.items():
            member = members.get(node, self._members[node])
            book = member.view.ledger
            granted = () if book is None else book.grants
            held = [*member.view.held, *(_held(grant) for grant in granted if grant.pod_uid == uid)]
            members[node] = self._seen(member, held=tuple(held))
        return facts.Changes(members=members)

    def ended(self, uids: Mapping[str, str]) -> facts.Changes:
        """Return what the API server and the plugins say when these pods, by UID, are gone from their nodes."""
        of_node: dict[str, set[str]] = {}
        for uid, node in uids.items():
            of_node.setdefault(node, set()).add(uid)
        return facts.Changes(
            pods=dict.fromkeys(uids),
            gone=dict.fromkeys(uids, True),
            members={node: self._released(node, gone) for node, gone in of_node.items()},
        )

    def _released(self, node: str, gone: set[str]) -> pools.Member:
        member = self._members[node]
        held = tuple(each for each in member.view.held if each.pod_uid not in gone)
        return self._seen(member, held=held, released=frozenset(gone))

    def _written(self, found: plans.Plan) -> facts.Changes:
        members, changed = {}, {}
        for write in found.ledgers:
            members[write.node] = self._seen(self._members[write.node], ledger=write.ledger)
        for bind in found.bindings:
            changed[bind.pod.uid] = self._versioned(pod_changes.bound(bind.pod, bind.node, bind.spans))
        return facts.Changes(pods=changed, members=members)

    def _seen(self, member: pools.Member, **fields: Any) -> pools.Member:
        view = dataclasses.replace(member.view, **fields, resource_version=str(next(self._versions)))
        return dataclasses.replace(member, view=view)

    def _versioned(self, pod: pods.PodView) -> pods.PodView:
        return dataclasses.replace(pod, resource_version=str(next(self._versions)))


def _held(grant: grants.Grant) -> neuron_nodes.Held:
    who = grant.pod_uid, grant.namespace, grant.pod, grant.container
    return neuron_nodes.Held(*who, grant.span, grant.resource, processes=True)
