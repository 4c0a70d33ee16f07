"""What the stand-in's cluster holds, page by page: made when asked for, kept nowhere. Pure."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

from neuronspan_operator.objects import pods
from performance.planner import scenes

Manifest = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Page:
    """A part of a collection; ``following`` is the index of the next one's first object, 0 at the end."""

    items: list[Manifest]
    following: int


@dataclasses.dataclass(frozen=True)
class Contents:
    """So many nodes of one pool, each with its pods, and pods of others."""

    scene: scenes.Scene

    def page(self, plural: str, start: int, limit: int) -> Page:
        """Return objects of a kind, from that index on; a kind that is not here has none."""
        count, make = self._kinds().get(plural, (0, _nothing))
        end = min(start + (limit or count), count)
        return Page([make(index) for index in range(start, end)], end if end < count else 0)

    def _kinds(self) -> Mapping[str, tuple[int, Callable[[int], Manifest]]]:
        nodes = self.scene.nodes
        return {
            "nodes": (nodes, scenes.node),
            "neuronnodes": (nodes, self._neuron_node),
            "neuronpools": (1, lambda _index: scenes.pool()),
            "namespaces": (1, lambda _index: {"metadata": {"name": "default", "uid": "d", "resourceVersion": "1"}}),
            "pods": (nodes * self.scene.running_on_node + self.scene.foreign, self._pod),
        }

    def _neuron_node(self, index: int) -> Manifest:
        return scenes.neuron_node(scenes.node_name(index), {each.uid: each for each in self._running(index)})

    def _running(self, node: int) -> list[pods.PodView]:
        return [pods.read(each) for each in self._running_pods(node)]

    @functools.lru_cache(maxsize=8)  # noqa: B019 - one of it lives as long as the process
    def _running_pods(self, node: int) -> tuple[Manifest, ...]:
        return tuple(scenes.running_pods(scenes.node_name(node), self.scene.running_on_node))

    def _pod(self, index: int) -> Manifest:
        ours = self.scene.nodes * self.scene.running_on_node
        if index < ours:
            node, number = divmod(index, self.scene.running_on_node)
            return self._running_pods(node)[number]
        foreign = index - ours
        return scenes.foreign_pod(foreign, scenes.node_name(foreign % self.scene.nodes))


def _nothing(_index: int) -> Manifest:
    raise LookupError("a kind without objects was asked for one")
