"""The longest free run of each node, remembered: every verdict asks for it. Pure."""

from neuronspan import spans
from neuronspan_operator.planning.drafting import node_drafts


class LongestRuns:
    """Remembers the answer for each node until it is told to forget the node."""

    def __init__(self) -> None:
        self._of_node: dict[str, range] = {}

    def of(self, node: node_drafts.NodeDraft) -> range:
        """Return the cores of the longest free run, the lowest of equals; empty when no core is free."""
        found = self._of_node.get(node.name)
        if found is None:
            free = spans.free_runs(node.hardware.cores, node.taken())
            found = self._of_node[node.name] = max((run.cores for run in free), key=len, default=range(0))
        return found

    def forget(self, name: str) -> None:
        """Note that something about the node changed."""
        self._of_node.pop(name, None)

    def clear(self) -> None:
        """Note that anything may have changed."""
        self._of_node.clear()
