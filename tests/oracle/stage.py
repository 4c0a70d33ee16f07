"""Puts a scene on the API server, reads it back as it was stored, and lets the real scheduler judge pods in it."""

import dataclasses
import itertools
import queue
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from typing import Any, Final, TypeVar

from kits.api_server import api_client, control_plane, scheduler
from oracle import writing
from oracle.drawn import drawing, scenes

Manifest = drawing.Manifest
_Made = TypeVar("_Made")

_HANDS: Final = 4
_PATIENCE_SECONDS: Final = 60.0
_COUNTED: Final = re.compile(r"(\d+) (.+?)(?=, \d+ |$)")
_SENTENCE: Final = re.compile(r"0/\d+ nodes are available: (?P<reasons>.*)\.", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Seen:
    """A cluster as the API server tells it: lists of manifests by kind."""

    nodes: Sequence[Manifest]
    namespaces: Sequence[Manifest]
    pods: Sequence[Manifest]  # those with a node
    classes: Sequence[Manifest] = ()
    drivers: Sequence[Manifest] = ()
    capacities: Sequence[Manifest] = ()
    csi_nodes: Sequence[Manifest] = ()
    volumes: Sequence[Manifest] = ()
    claims: Sequence[Manifest] = ()
    attachments: Sequence[Manifest] = ()


@dataclasses.dataclass(frozen=True)
class Judged:
    """What kube-scheduler said of a pod."""

    pod: Manifest  # as it was stored, before the scheduler saw it
    claims: tuple[Manifest, ...]  # those that were made for it
    allowed: frozenset[str]
    message: str

    @property
    def counted(self) -> dict[str, int]:
        """The nodes that each reason is counted for; one that stands alone concerns the whole pod, and counts 0."""
        found = _SENTENCE.fullmatch(self.message)
        text = self.message if found is None else found["reasons"]
        reasons = {words: int(count) for count, words in _COUNTED.findall(text)} if text[:1].isdigit() else {text: 0}
        reasons.pop(scheduler.PASSED, None)
        return reasons


class Stage:
    """One cluster after another on one API server."""

    def __init__(self, plane: control_plane.ControlPlane, real: scheduler.Scheduler) -> None:
        self._client = client = plane.client()
        self._hands: queue.SimpleQueue[api_client.Client] = queue.SimpleQueue()
        for _ in range(_HANDS):
            self._hands.put(plane.client())
        self._pool = futures.ThreadPoolExecutor(_HANDS)
        self._real = real
        for name in drawing.NAMESPACES:
            client.create("/api/v1/namespaces", {"metadata": {"name": name}})
        runtime = {"metadata": {"name": drawing.RUNTIME_CLASS}, "handler": "heavy"}
        overhead = {"overhead": {"podFixed": drawing.OVERHEAD}}
        client.create("/apis/node.k8s.io/v1/runtimeclasses", {**runtime, **overhead})

    def close(self) -> None:
        """End the threads that write."""
        self._pool.shutdown()

    # --- setting up and clearing -------------------------------------------------------------------------------------

    def set_up(self, scene: scenes.Scene) -> Seen:
        """Create everything but the probes; return it as stored."""
        for name, labels in scene.namespaces.items():
            team = {"team": labels.get("team")}  # null takes it away
            self._client.patch(f"/api/v1/namespaces/{name}", {"metadata": {"labels": team}})
        self._each(scene.nodes, lambda client, node: client.create(writing.NODES, node))
        self._set_up_storage(scene)
        self._each(scene.placed, lambda client, pod: writing.create_pod(client, pod, scene.ending))
        return self.seen()

    def _each(self, items: Iterable[Manifest], do: Callable[[api_client.Client, Manifest], _Made]) -> list[_Made]:
        """Do something for each, several at once: most of the time is spent waiting for answers."""

        def with_a_hand(item: Manifest) -> _Made:
            client = self._hands.get()
            try:
                return do(client, item)
            finally:
                self._hands.put(client)

        return list(self._pool.map(with_a_hand, items))

    def _set_up_storage(self, scene: scenes.Scene) -> None:
        storage = scene.storage
        for path, manifests in (
            ("storageclasses", storage.classes),
            ("csidrivers", storage.drivers),
            ("csinodes", storage.csi_nodes),
        ):
            for manifest in manifests:
                self._client.create(f"{writing.STORAGE}/{path}", manifest)
        for manifest in storage.capacities:
            namespace = manifest["metadata"]["namespace"]
            self._client.create(f"{writing.STORAGE}/namespaces/{namespace}/csistoragecapacities", manifest)
        self._each(
            storage.volumes,
            lambda client, volume: writing.create_with_status(client, writing.VOLUMES, volume, frozenset()),
        )
        self._each(
            storage.claims,
            lambda client, claim: writing.create_with_status(
                client, writing.claims_of(claim["metadata"]["namespace"]), claim, storage.ending
            ),
        )
        for manifest in storage.attachments:
            self._client.create(f"{writing.STORAGE}/volumeattachments", manifest)

    def seen(self) -> Seen:
        """Return the cluster as stored."""

        def items(path: str) -> list[Manifest]:
            listed: list[Manifest] = self._client.get(path)["items"]
            return listed

        return Seen(
            nodes=items(writing.NODES),
            namespaces=items("/api/v1/namespaces"),
            pods=items("/api/v1/pods"),
            classes=items(f"{writing.STORAGE}/storageclasses"),
            drivers=items(f"{writing.STORAGE}/csidrivers"),
            capacities=items(f"{writing.STORAGE}/csistoragecapacities"),
            csi_nodes=items(f"{writing.STORAGE}/csinodes"),
            volumes=items(writing.VOLUMES),
            claims=items("/api/v1/persistentvolumeclaims"),
            attachments=items(f"{writing.STORAGE}/volumeattachments"),
        )

    def clear(self, seen: Seen) -> None:
        """Take everything away."""
        for namespace in drawing.NAMESPACES:
            self._client.delete(writing.pods_of(namespace), writing.AT_ONCE)
            if seen.claims:
                self._client.delete(writing.claims_of(namespace))
        for claim in seen.claims:
            if "deletionTimestamp" in claim["metadata"]:
                path = f"{writing.claims_of(claim['metadata']['namespace'])}/{claim['metadata']['name']}"
                self._client.patch(path, {"metadata": {"finalizers": None}})
        if seen.classes:
            for kind in ("volumeattachments", "csinodes", "csidrivers", "storageclasses"):
                self._client.delete(f"{writing.STORAGE}/{kind}")
            self._client.delete(f"{writing.STORAGE}/namespaces/{drawing.NAMESPACES[0]}/csistoragecapacities")
            self._client.delete(writing.VOLUMES)
        self._client.delete(writing.NODES)

    # --- judging -----------------------------------------------------------------------------------------------------

    def judge(self, asked: Iterable[Manifest], profile: str = scheduler.FILTERS) -> list[Judged]:
        """Let the real scheduler judge pods, and take them away again."""
        made = self._each(asked, lambda client, probe: writing.ask(client, probe, profile))
        messages = self._messages([pod["metadata"]["uid"] for pod, _ in made])
        for namespace in drawing.NAMESPACES:
            self._client.delete(f"{writing.pods_of(namespace)}?fieldSelector=spec.nodeName%3D", writing.AT_ONCE)
        self._each([claim for _, claims in made for claim in claims], writing.delete_claim)
        passed = self._real.passed
        return [
            Judged(pod, claims, passed.pop(pod["metadata"]["uid"], frozenset()), messages[pod["metadata"]["uid"]])
            for pod, claims in made
        ]

    def scores(self, probe: Manifest) -> tuple[Judged, dict[str, dict[str, int]]]:
        """Let the real scheduler score nodes for a pod: by node and plugin, weighted; nothing unless two nodes pass."""
        (judged,) = self.judge([probe], scheduler.SCORES)
        metadata = probe["metadata"]
        return judged, self._real.scores(f"{metadata['namespace']}/{metadata['name']}")

    def _messages(self, uids: Sequence[str]) -> dict[str, str]:
        """Wait until the scheduler has said of each pod that it cannot be scheduled."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for pause in itertools.chain((0.01, 0.02, 0.04), itertools.repeat(0.08)):
            pods = self._client.get("/api/v1/pods?fieldSelector=spec.nodeName%3D&resourceVersion=0")["items"]
            found = {pod["metadata"]["uid"]: message for pod in pods for message in _refusals(pod)}
            if set(uids) <= set(found):
                return found
            assert time.monotonic() < deadline, f"kube-scheduler has judged {len(found)} of {len(uids)} pods"
            time.sleep(pause)  # another process works in real time: polling is all there is
        raise AssertionError


def _refusals(pod: Mapping[str, Any]) -> Iterator[str]:
    for condition in pod["status"].get("conditions") or ():
        if (condition["type"], condition["status"]) == ("PodScheduled", "False") and condition[
            "reason"
        ] != writing.GATED:
            yield condition["message"]
