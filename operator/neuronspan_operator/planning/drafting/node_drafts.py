"""The working state of one node in a planning pass: its ledger as it will be, and what else makes cores unusable.

Law: nothing here decides; stages do.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

from neuronspan import grants, instance_types, ledger, spans
from neuronspan_operator.objects import neuron_nodes, nodes, pools
from neuronspan_operator.planning import plans

_MOST_RUNS = 3
"""Unhealthy runs in one sentence: each brings up to 256 characters of reason, and the way out must still fit behind."""


@dataclasses.dataclass(frozen=True, slots=True)
class Savepoint:
    """A node's draft at some point of the pass."""

    ledger: ledger.Ledger
    reasons: int
    version: int


_VERSIONS: Iterator[int] = itertools.count(1)
"""No two states of any node share a number, so that an answer can be remembered by it."""


class NodeDraft:
    """One node during a pass. Only nodes whose ledger can be read have a draft."""

    def __init__(
        self,
        view: neuron_nodes.NeuronNodeView,
        host: nodes.NodeView | None,
        policy: pools.Policy,
        hardware: instance_types.Hardware,
        stored: ledger.Ledger,
        on_change: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self.view = view
        self.name = view.name
        self.host = host  # None when there is no Node of that name
        self.policy = policy
        self.hardware = hardware
        self.stored = stored
        self.ledger = stored
        self.why: list[str] = []
        self.blocked: list[spans.CoreSpan] = [
            each.span for each in view.unhealthy
        ]  # in no grant, and yet not to be given away
        self.contested: set[str] = set()  # UIDs of pods whose granted cores another container holds
        self.version = next(_VERSIONS)
        self._on_change = on_change
        self.ineligible = _ineligible(view, host)
        self._by_pod: tuple[ledger.Ledger | None, dict[str, list[grants.Grant]]] = (None, {})

    def equals(self, before: "NodeDraft") -> bool:
        """Whether requests fit here as they did on that earlier draft of the node, and whoever is in the way is too."""
        return (
            (self.ledger is before.ledger or _owners(self.ledger) == _owners(before.ledger))
            and self.blocked == before.blocked
            and self.view.unhealthy == before.view.unhealthy  # the reasons are told
            and (self.ineligible, self.policy, self.hardware) == (before.ineligible, before.policy, before.hardware)
        )

    @property
    def hostname(self) -> str:
        """The value a pod's node selector needs."""
        return self.name if self.host is None else self.host.hostname

    @property
    def settled(self) -> bool:
        """Whether the ledger is as it is stored."""
        return self.ledger is self.stored or self.ledger == self.stored

    def change(self, changed: ledger.Ledger, *whys: str) -> None:
        """Replace the ledger; each of ``whys`` is a sentence for the log."""
        self.ledger = changed
        self.why.extend(whys)
        self._changed()

    def block(self, span: spans.CoreSpan) -> None:
        """Keep cores from being granted in this pass."""
        self.blocked.append(span)
        self._changed()

    def savepoint(self) -> "Savepoint":
        """Return what ``restore`` needs to undo later changes."""
        return Savepoint(self.ledger, len(self.why), self.version)

    def restore(self, savepoint: "Savepoint") -> None:
        """Undo every grant since the savepoint."""
        if self.version == savepoint.version:
            return
        self.ledger = savepoint.ledger
        del self.why[savepoint.reasons :]
        self._changed()

    def _changed(self) -> None:
        self.version = next(_VERSIONS)
        self._on_change(self.name)

    def unhealthy_among(self, granted: Iterable[grants.Grant]) -> str:
        """Return which cores of these grants are unhealthy and why, "" when all are well."""
        found = (each for each in self.view.unhealthy if any(grant.span.overlaps(each.span) for grant in granted))
        return plans.listed(map(str, found), _MOST_RUNS)

    def taken(self) -> tuple[spans.CoreSpan, ...]:
        """Return every span that must not be granted."""
        return (*self.ledger.taken(), *self.blocked)

    def all_grants_of(self, uid: str) -> Sequence[grants.Grant]:
        """Return all grants of a pod here."""
        if self._by_pod[0] is not self.ledger:
            by_pod: dict[str, list[grants.Grant]] = {}
            for grant in self.ledger.grants:
                by_pod.setdefault(grant.pod_uid, []).append(grant)
            self._by_pod = self.ledger, by_pod
        return self._by_pod[1].get(uid, ())

    def grants_of(self, uid: str) -> tuple[grants.Grant, ...]:
        """Return the pod's grants here that are not being released."""
        releasing = grants.GrantState.RELEASING
        return tuple(grant for grant in self.all_grants_of(uid) if grant.state is not releasing)


def _ineligible(view: neuron_nodes.NeuronNodeView, node: nodes.NodeView | None) -> str | None:
    """Say why no pod at all can be granted cores here, in words that can be counted over nodes."""
    if node is None or view.deleted:
        return "gone"
    unavailable = nodes.unavailable(node)
    if unavailable is not None:
        return unavailable
    if not view.registered or not view.epoch:
        return "whose device plugin has not registered"
    if view.advertised != view.hardware:
        return "whose device plugin does not advertise the hardware of its pool yet"
    return None


def _owners(book: ledger.Ledger) -> list[tuple[grants.Key, spans.CoreSpan, bool]]:
    """Return who has which cores, and whether for good."""
    return [(each.key, each.span, each.state is grants.GrantState.RELEASING) for each in book.grants]
