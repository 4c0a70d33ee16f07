"""The drafts of all nodes, opened one by one. Pure bookkeeping.

Law: whatever changes about a node's draft is in the journal.
"""

import bisect

from neuronspan import grants
from neuronspan_operator.objects import neuron_nodes, nodes, pools
from neuronspan_operator.planning import journal
from neuronspan_operator.planning.drafting import node_drafts


class NodeTable:
    """By name; ``journal`` is told of every change."""

    def __init__(self, changes: journal.Journal[str]) -> None:
        self.drafts: dict[str, node_drafts.NodeDraft] = {}
        self.broken: dict[str, neuron_nodes.NeuronNodeView] = {}  # those whose ledger cannot be read
        self.names: list[str] = []  # of the nodes with a draft, ascending
        self.unsettled: set[str] = set()  # nodes whose ledger may not be the stored one
        self.releasing: set[str] = set()  # nodes where a grant is being released
        self._journal = changes

    def close(self, name: str) -> node_drafts.NodeDraft | None:
        """Forget a node's draft, and return it."""
        self.broken.pop(name, None)
        self.releasing.discard(name)
        self.unsettled.discard(name)
        before = self.drafts.pop(name, None)
        if before is not None:
            del self.names[bisect.bisect_left(self.names, name)]
        return before

    def open(
        self, name: str, view: neuron_nodes.NeuronNodeView | None, host: nodes.NodeView | None, policy: pools.Policy
    ) -> node_drafts.NodeDraft | None:
        """Begin anew with a node: its ledger is as it is stored; None when it has none that can be read."""
        before = self.close(name)
        if view is None or view.ledger is None or view.hardware is None:
            self._journal.note(name)
            if view is not None:
                self.broken[name] = view
            return None
        node = node_drafts.NodeDraft(view, host, policy, view.hardware, view.ledger, self._changed)
        self.drafts[name] = node
        bisect.insort(self.names, name)
        if before is not None and node.equals(before):
            node.version = before.version
        else:
            self._journal.note(name)
        return node

    def note_releases(self, name: str) -> None:
        """Take note whether grants are being released on a node, as its draft is now."""
        node = self.drafts[name]
        if any(grant.state is grants.GrantState.RELEASING for grant in node.ledger.grants):
            self.releasing.add(name)
        else:
            self.releasing.discard(name)

    def _changed(self, name: str) -> None:
        self.unsettled.add(name)
        self._journal.note(name)
