"""Which writes the API server refuses again and again, in its own words, and which pods wait for them. Pure.

Law: the first refusal may pass by itself and is not told; from the second on it is why its pods wait, until the same
write succeeds. That a write was made on what is no longer so is no refusal: who writes can tell.
"""

import dataclasses
import enum
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Final

from neuronspan_agent import errors
from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans

_TOLD_FROM = 2

Known = Callable[[str], pods.PodView | None]


class Write(enum.Enum):
    """What is written; the value names it in sentences. A ledger is of a node, all else of a pod, by UID."""

    LEDGER = "the ledger of node {name}"
    GRANT = "the grant of this pod"
    BINDING = "the binding of this pod"
    FENCE = "the mark on this pod that takes its cores back"
    PATCH = "the change of this pod"
    CLAIM = "what a claim of this pod needs"
    CONDITION = "the condition of this pod"


_OF_LEDGERS: Final = frozenset({Write.LEDGER, Write.GRANT})


@dataclasses.dataclass(frozen=True, slots=True)
class _Refused:
    """``uids`` are the pods that the last attempt was for."""

    sentence: str
    times: int
    uids: frozenset[str]


class Refusals:
    """What was refused, by kind and name of what was to be written; ``version`` grows whenever it is otherwise."""

    def __init__(self) -> None:
        self.version = 0
        self._refused: dict[tuple[Write, str], _Refused] = {}

    @property
    def uids(self) -> frozenset[str]:
        """The UIDs of the pods that wait for any of it."""
        return frozenset().union(*(refused.uids for refused in self._refused.values()))

    def failed(self, write: Write, name: str, error: errors.KubernetesError, uids: Iterable[str]) -> None:
        """Note that a write was refused or not answered; ``uids`` are the pods that wait for it."""
        key = write, name
        times = self._refused[key].times + 1 if key in self._refused else 1
        self._refused[key] = _Refused(_sentence(write.value.format(name=name), error), times, frozenset(uids))
        self.version += 1

    def succeeded(self, write: Write, name: str) -> None:
        """Note that a write was made."""
        if self._refused.pop((write, name), None) is not None:
            self.version += 1

    def waiting(self, known: Known, granted: Container[str]) -> dict[str, plans.Waiting]:
        """Return why pods wait whose write is refused, by UID; ``known`` is asked for a pod.

        ``granted`` are the UIDs with a grant in a stored ledger: one that is refused is no reason for them.
        """
        return {
            pod.uid: plans.Waiting(reasons.WaitingReason.WRITE_REFUSED, refused.sentence)
            for write, pod, refused in self._told(known)
            if write is not Write.CONDITION and not (write in _OF_LEDGERS and pod.uid in granted)
        }

    def notices(self, known: Known) -> list[plans.Notice]:
        """Return the Events of pods whose condition is refused: they wait for something else, and cannot say it."""
        return [
            dataclasses.replace(
                plans.Notice.on(pod, reasons.EventReason.STATUS_REFUSED, refused.sentence), lasting=True
            )
            for write, pod, refused in self._told(known)
            if write is Write.CONDITION
        ]

    def forget_pod(self, uid: str) -> None:
        """Forget what is of a pod that is gone."""
        for write in Write:
            if write is not Write.LEDGER:
                self.succeeded(write, uid)

    def forget_node(self, name: str) -> None:
        """Forget what is of a node that is gone."""
        self.succeeded(Write.LEDGER, name)

    def _told(self, known: Known) -> Iterator[tuple[Write, pods.PodView, _Refused]]:
        """Yield what was refused often enough, for each pod that still waits, in a fixed order."""
        for (write, _), refused in sorted(self._refused.items(), key=lambda item: (item[0][0].name, item[0][1])):
            if refused.times >= _TOLD_FROM:
                found = map(known, sorted(refused.uids))
                yield from ((write, pod, refused) for pod in found if pod is not None and pod.waits)


def _sentence(what: str, error: errors.KubernetesError) -> str:
    return f"The API server did not take {what}: {_words(error)}. {_way_out(error)}"


def _words(error: errors.KubernetesError) -> str:
    """Return the server's own words, without the call that they answer."""
    text = str(error)
    answer = text.partition(": ")[2] or text
    return answer.rstrip(".")


def _way_out(error: errors.KubernetesError) -> str:
    words = str(error).lower()
    if isinstance(error, errors.Forbidden) and "cannot" in words:  # the words of RBAC
        return "Give the operator's service account the rights that the chart gives it; it is tried again by itself."
    if "webhook" in words:
        return "Ask who owns that webhook to let the operator's service account pass; it is tried again by itself."
    if "policy" in words:
        return "Ask who owns that policy to let the operator's service account pass; it is tried again by itself."
    if isinstance(error, errors.Forbidden):
        return "Ask who forbids this to the operator's service account; it is tried again by itself."
    if isinstance(error, errors.Invalid):
        return "No write of the operator should be refused so: please report it with this message."
    return "It is tried again by itself; if this stays, look at the API server's health."
