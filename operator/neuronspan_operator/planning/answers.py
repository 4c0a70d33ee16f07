"""Answers that are remembered per node: asked again only of nodes about which something changed. Pure.

Law: an answer is forgotten when the journal has its node, or when what else it was made from is not the same any more.
"""

import dataclasses
from collections.abc import Hashable
from typing import Generic, TypeVar

from neuronspan_operator.planning import journal

A = TypeVar("A")

MOST = 256
"""Questions that are remembered: more kinds of pods at a time begin anew."""


@dataclasses.dataclass(slots=True)
class _Known(Generic[A]):
    basis: Hashable
    position: int
    answers: dict[str, A]


class Answers(Generic[A]):
    """Answers by question and node."""

    def __init__(self, changes: journal.Journal[str]) -> None:
        self._changes = changes
        self._known: dict[Hashable, _Known[A]] = {}

    def of(self, question: Hashable, basis: Hashable) -> dict[str, A]:
        """Return the answers to a question that still hold, by node; new ones belong into it.

        ``basis`` is all that they depend on beside what happens on their nodes.
        """
        known = self._known.get(question)
        changed = None if known is None or known.basis != basis else self._changes.since(known.position)
        if known is None or changed is None:
            if len(self._known) >= MOST:
                self._known.clear()
            known = self._known[question] = _Known(basis, 0, {})
        for name in changed or ():
            known.answers.pop(name, None)
        known.position = self._changes.position
        return known.answers
