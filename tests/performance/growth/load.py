"""What clusters of one and the same use ask of operator and API server, by their size. Pure.

Law: rates are of a node and do not depend on how many there are; costs are measured, not assumed.
"""

import dataclasses
from collections.abc import Iterator

from performance.growth import costs as measured_costs
from performance.growth import numbers

_DAY, _HOUR = 86_400.0, 3600.0


@dataclasses.dataclass(frozen=True)
class Use:
    """What happens on a node."""

    pods: float = 4
    """With NeuronCores at one time."""
    pod_seconds: float = _HOUR
    foreign: float = 10
    foreign_seconds: float = _DAY
    events_of_pod: float = 8
    """Watch events from a pod's creation to its end, those of its node's ledger included."""
    changes_of_pod: float = 4
    """Changes of its NeuronNode: granted, confirmed, releasing, forgotten; the plugin's reports come with them."""
    heartbeat_seconds: float = 300.0
    """kubelet reports its node's status that often when nothing changes."""


@dataclasses.dataclass(frozen=True)
class Demand:
    """What a cluster of some size asks for, in processors that are busy all the time, and memory."""

    nodes: int
    pods_per_second: float
    planning: float
    events: float
    pools: float
    rest: float
    apiserver: float
    mebibytes: float

    @property
    def operator(self) -> float:
        """Return the share of its one processor that the operator needs: Python runs one thread at a time."""
        return self.planning + self.events + self.pools + self.rest


def demand(nodes: int, use: Use, costs: measured_costs.Costs) -> Demand:
    """Return what a cluster asks for."""
    ours = nodes * use.pods / use.pod_seconds
    foreign = nodes * use.foreign / use.foreign_seconds
    events = (ours + foreign) * use.events_of_pod + nodes / use.heartbeat_seconds
    return Demand(
        nodes=nodes,
        pods_per_second=ours,
        planning=ours * costs.planning,
        events=events * costs.event,
        pools=(ours * use.changes_of_pod + nodes / use.heartbeat_seconds) * costs.pools,
        rest=ours * costs.rest_of_operator,
        apiserver=ours * costs.apiserver,
        mebibytes=costs.base_mebibytes + nodes * costs.mebibytes_of_node,
    )


def largest_burst(costs: measured_costs.Costs, processors: int) -> tuple[float, float]:
    """Return how many pods a second one operator can bind at most, and an API server with so many processors."""
    return 1 / (costs.planning + costs.rest_of_operator), processors / costs.apiserver


def rows(demands: Iterator[Demand]) -> Iterator[str]:
    """Yield the rows of a Markdown table."""
    for each in demands:
        needed = (each.planning, each.events, each.pools, each.rest, each.operator, each.apiserver)
        shares = " | ".join(f"{number:.3f}" for number in needed)
        size, memory = numbers.grouped(each.nodes), numbers.grouped(each.mebibytes)
        yield f"| {size} | {each.pods_per_second:.1f} | {shares} | {memory} |"
