"""What is printed while the cluster runs: pods as they come on, and the lines of their containers."""

import dataclasses
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from neuronspan import names
from neuronspan_embedded.command import cluster as clusters
from neuronspan_embedded.command import sightings

_OVER = {"Succeeded", "Failed"}


@dataclasses.dataclass
class Watcher:
    """Finds what is new since it last looked."""

    cluster: clusters.Cluster
    _told: dict[str, str] = dataclasses.field(default_factory=dict)
    _read: dict[pathlib.Path, int] = dataclasses.field(default_factory=dict)

    def news(self) -> Iterator[str]:
        """Yield a line for each pod that stands otherwise than before, and each new line of a container."""
        for manifest in self.cluster.pods():
            line = standing(manifest)
            uid = manifest["metadata"]["uid"]
            if self._told.get(uid) != line:
                self._told[uid] = line
                yield f"{manifest['metadata']['name']}: {line}"
        for pod, container, path in self.files():
            yield from (f"{pod} [{container}] {each}" for each in self._new_lines(path))

    def files(self) -> Iterator[tuple[str, str, pathlib.Path]]:
        """Yield pod, container and file of what each container prints."""
        for path in sorted((self.cluster.directory / "logs").glob("*/*/*.log")):
            yield path.parent.name, path.stem, path

    def reports(self) -> sightings.Reports:
        """Return what the models have told of themselves."""
        found = {
            (pod, container): sightings.last_report(path.read_text(errors="replace"))
            for pod, container, path in self.files()
        }
        return {key: report for key, report in found.items() if report is not None}

    def _new_lines(self, path: pathlib.Path) -> Iterator[str]:
        with path.open(errors="replace", newline="") as file:
            file.seek(self._read.get(path, 0))
            text = file.read()
        whole = text[: text.rfind("\n") + 1]
        self._read[path] = self._read.get(path, 0) + len(whole.encode())
        yield from whole.splitlines()


def standing(pod: Mapping[str, Any]) -> str:
    """Return in a line how a pod stands: its phase, node and cores, or what it waits for."""
    status, spec = pod["status"], pod["spec"]
    waiting = waits(pod)
    if not spec.get("nodeName"):
        return f"waits: {waiting}" if waiting else "is created"
    grant = (pod["metadata"].get("annotations") or {}).get(names.GRANT_ANNOTATION)
    spans = json.loads(grant).get("containers", {}) if grant else {}
    cores = ", ".join(f"{name} {span}" for name, span in spans.items())
    where = f"on {spec['nodeName']}" + (f", cores {cores}" if cores else "")
    if "deletionTimestamp" in pod["metadata"]:
        return f"ends {where}"
    told = status.get("message") or waiting
    return f"{status.get('phase', 'Pending')} {where}" + (f": {told}" if told else "")


def waits(pod: Mapping[str, Any]) -> str:
    """Return why a pod does not run: of its scheduling, or of the first container that cannot start; "" without."""
    for each in pod["status"].get("conditions") or ():
        if each["type"] == "PodScheduled" and each["status"] == "False":
            return str(each.get("message") or each.get("reason"))
    for each in _containers(pod):
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting.get("message"):
            return f"container {each['name']}: {waiting['reason']}: {waiting['message']}"
    return ""


def is_over(pod: Mapping[str, Any]) -> bool:
    """Whether a pod has succeeded or failed."""
    return pod["status"].get("phase") in _OVER


def is_settled(pod: Mapping[str, Any]) -> bool:
    """Whether nothing more is to be expected of a pod at once: it is over, runs, or waits for a reason that is told."""
    return is_over(pod) or pod["status"].get("phase") == "Running" or bool(waits(pod))


def failure(pod: Mapping[str, Any]) -> str:
    """Return what went wrong with a pod, "" when nothing did: to wait for cores is not a failure."""
    name = pod["metadata"]["name"]
    if pod["status"].get("phase") == "Failed":
        codes = [
            f"container {each['name']} ended with {each['state']['terminated']['exitCode']}"
            for each in _containers(pod)
            if (each.get("state") or {}).get("terminated", {}).get("exitCode")
        ]
        return f"pod {name} failed: {'; '.join(codes) or pod['status'].get('message', '')}"
    if pod["spec"].get("nodeName") and waits(pod):
        return f"pod {name}: {waits(pod)}"
    return ""


def _containers(pod: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for field in ("initContainerStatuses", "containerStatuses"):
        yield from pod["status"].get(field) or ()
