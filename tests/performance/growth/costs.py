"""What one pod costs whom, as it was measured last: what the model of larger clusters is fed with."""

import dataclasses
from collections.abc import Mapping, Sequence

from performance import checking

_CASE = "cluster_5000"
_NODES = 5000


@dataclasses.dataclass(frozen=True)
class Costs:
    """CPU time in seconds. The API server's is shared by its four writes for a pod in these proportions."""

    planning: float
    """Per pod, the rounds that follow from own writes included."""
    rest_of_operator: float
    """Per pod: calls, answers, events, telling."""
    event: float
    """Per watch event that concerns nobody's cores, from the socket to the plan."""
    pools: float
    """Per change of a Node or NeuronNode, for the look at which pool it belongs to."""
    apiserver: float
    """Per pod, from its creation to its Event."""
    base_mebibytes: float = 0.0
    """Resident memory of an operator without a cluster."""
    mebibytes_of_node: float = 0.0
    """What a node adds to it, with its pods and with those of others."""
    ledger_share: float = 0.4
    binding_share: float = 0.2

    @property
    def ledger_write(self) -> float:
        """CPU time of the API server for one write of a ledger."""
        return self.apiserver * self.ledger_share

    @property
    def binding(self) -> float:
        """CPU time of the API server for one binding."""
        return self.apiserver * self.binding_share

    @property
    def other_writes(self) -> float:
        """CPU time of the API server for the creation of a pod and its Event."""
        return self.apiserver - self.ledger_write - self.binding


class NotRecordedError(Exception):
    """A quantity that the model needs was never recorded; the message names it and how to record it."""


def recorded(entries: Sequence[checking.Entry]) -> Costs:
    """Return the costs that were recorded last. Raises NotRecordedError."""
    found = {(each.limit.case, each.limit.quantity): each.last for each in entries}
    planning = _value(found, "planner", "new_pod_5000") / 1e3
    operator = _value(found, _CASE, "operator") / 1e3
    return Costs(
        planning=planning,
        rest_of_operator=max(operator - planning, 0.0),
        pools=_value(found, "planner", "pools") / 1e6,
        event=_value(found, "footprint", "event") / 1e6,
        apiserver=_value(found, _CASE, "cores_apiserver") / 1e3,
        base_mebibytes=_value(found, "footprint", "empty"),
        mebibytes_of_node=(_value(found, "footprint", "resident") - _value(found, "footprint", "empty")) / _NODES,
    )


def _value(found: Mapping[tuple[str, str], checking.Measured | None], case: str, quantity: str) -> float:
    measured = found.get((case, quantity))
    if measured is None:
        raise NotRecordedError(
            f"{quantity} of case {case} is not recorded: make test-performance CASES={case} RECORD=1"
        )
    return measured.value
