"""What kubelet writes into a pod's status: its phase, conditions and containers. Pure."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Manifest = dict[str, Any]


@dataclasses.dataclass
class Container:
    """How one container stands: waiting with a reason, running with a process, or over with an exit code."""

    name: str
    image: str
    init: bool = False
    sidecar: bool = False
    reason: str = "PodInitializing"
    message: str = ""
    pid: int = 0
    started: str = ""
    exit_code: int | None = None
    finished: str = ""
    restarts: int = 0
    last: Manifest = dataclasses.field(default_factory=dict)

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        return bool(self.pid)

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and is not about to be started again."""
        return self.exit_code is not None and not self.pid and not self.reason

    def state(self) -> Manifest:
        """Return its state as the API has it."""
        if self.pid:
            return {"running": {"startedAt": self.started}}
        if self.reason:
            return {"waiting": {"reason": self.reason, **({"message": self.message} if self.message else {})}}
        return self.terminated()

    def terminated(self) -> Manifest:
        """Return how it ended last."""
        reason = "Completed" if self.exit_code == 0 else "Error"
        ended = {"exitCode": self.exit_code, "reason": reason, "startedAt": self.started, "finishedAt": self.finished}
        return {"terminated": ended}

    def status(self) -> Manifest:
        """Return its entry in the pod's status."""
        return {
            "name": self.name,
            "image": self.image,
            "imageID": "",
            "containerID": f"process://{self.pid}" if self.pid else "",
            "ready": self.is_running or (self.init and not self.sidecar and self.exit_code == 0),
            "started": self.is_running,
            "restartCount": self.restarts,
            "state": self.state(),
            "lastState": self.last,
        }


def containers(spec: Mapping[str, Any]) -> list[Container]:
    """Return the containers of a pod that begins, init containers first."""
    init = [
        Container(each["name"], each.get("image", ""), init=True, sidecar=each.get("restartPolicy") == "Always")
        for each in spec.get("initContainers") or ()
    ]
    return [*init, *(Container(each["name"], each.get("image", "")) for each in spec["containers"])]


def phase(known: Sequence[Container]) -> str:
    """Return the phase: containers that may be started again are waiting, never over."""
    apps = [each for each in known if not each.init]
    plain = [each for each in known if each.init and not each.sidecar]
    if any(each.is_over and each.exit_code for each in plain):
        return "Failed"
    if all(each.is_over for each in apps):
        return "Failed" if any(each.exit_code for each in apps) else "Succeeded"
    if any(each.is_running or each.exit_code is not None or each.last for each in apps):
        return "Running"
    return "Pending"


def status(known: Sequence[Container], now: str, started: str, before: Iterable[Mapping[str, Any]]) -> Manifest:
    """Return the status of a pod, to be merged into what it has."""
    current = phase(known)
    is_over = current in {"Succeeded", "Failed"}
    needed = [each for each in known if not each.init or each.sidecar]
    ready = not is_over and all(each.is_running for each in needed)
    done = all(each.exit_code == 0 or (each.sidecar and each.is_running) for each in known if each.init)
    why = "PodCompleted" if current == "Succeeded" else "PodFailed" if is_over else "ContainersNotReady"
    values = {
        "Initialized": (done or current == "Succeeded", "" if done else "ContainersNotInitialized"),
        "ContainersReady": (ready, "" if ready else why),
        "Ready": (ready, "" if ready else why),
    }
    return {
        "phase": current,
        "startTime": started,
        "hostIP": "127.0.0.1",
        "podIP": "127.0.0.1",
        "conditions": [_condition(kind, *value, now, before) for kind, value in values.items()],
        "initContainerStatuses": [each.status() for each in known if each.init],
        "containerStatuses": [each.status() for each in known if not each.init],
    }


def _condition(kind: str, holds: bool, reason: str, now: str, before: Iterable[Mapping[str, Any]]) -> Manifest:
    value = "True" if holds else "False"
    since = next(
        (each["lastTransitionTime"] for each in before if (each["type"], each["status"]) == (kind, value)), now
    )
    told: Manifest = {"type": kind, "status": value, "lastTransitionTime": since}
    return {**told, "reason": reason or None}
