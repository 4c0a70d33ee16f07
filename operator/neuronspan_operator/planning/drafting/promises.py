"""Pods that are not on a node yet count where they will be. Pure bookkeeping.

Law: a promised pod counts once on each node that it is promised to, and no longer than that.
"""

import operator
from collections.abc import Mapping
from typing import Final

from neuronspan_operator.objects import pods
from neuronspan_operator.planning.drafting import indices
from neuronspan_operator.scheduling import cluster_state

_COUNTED: Final = operator.attrgetter("namespace", "labels", "amounts", "constraints", "deleted")
"""Everything about a pod that counts on its node."""


class Promises:
    """The promised pods, and the cluster that counts them."""

    def __init__(self, cluster: cluster_state.Cluster) -> None:
        self._cluster = cluster
        self._on: dict[str, dict[str, pods.PodView]] = {}  # by node and UID
        self._nodes_of = indices.Lookup[str]()

    def count(self, node: str, promised: Mapping[str, pods.PodView]) -> None:
        """Count these pods, by UID, on the node, and no others that were promised to it."""
        for uid in self._on.get(node, {}).keys() - promised.keys():
            self.break_one(uid, node)
        for pod in promised.values():
            self.make(pod, node)

    def make(self, pod: pods.PodView, node: str) -> None:
        """Count a pod on the node that it will be bound to."""
        self._cluster.add(pod, node)
        self._on.setdefault(node, {})[pod.uid] = pod
        self._nodes_of.put(pod.uid, node)

    def fulfil(self, pod: pods.PodView, node: str) -> bool:
        """Take it that a pod came to the only node it was promised to; False when it did not, or counts otherwise."""
        promised = self._on.get(node, {}).get(pod.uid)
        if promised is None or len(self._nodes_of.of(pod.uid)) > 1 or _COUNTED(promised) != _COUNTED(pod):
            return False
        self._forget(pod.uid, node)
        self._cluster.replace(pod, node)
        return True

    def break_one(self, uid: str, node: str) -> None:
        """Count a pod no more on a node that it was promised to."""
        pod = self._on.get(node, {}).get(uid)
        if pod is not None:
            self._forget(uid, node)
            self._cluster.remove(pod, node)

    def break_all(self, uid: str) -> None:
        """Count a pod nowhere that it was promised to."""
        for node in sorted(self._nodes_of.of(uid)):
            self.break_one(uid, node)

    def _forget(self, uid: str, node: str) -> None:
        self._nodes_of.drop(uid, node)
        del self._on[node][uid]
        if not self._on[node]:
            del self._on[node]
