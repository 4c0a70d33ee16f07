"""What the conditions of a pod's status say: why it has no node, and up to when grants of it are taken back. Pure."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from neuronspan import names

SCHEDULED: Final = "PodScheduled"
_UNSCHEDULABLE: Final = "Unschedulable"


@dataclasses.dataclass(frozen=True, slots=True)
class Unscheduled:
    """What a pod's PodScheduled condition says while it is False."""

    reason: str
    message: str

    @property
    def by_scheduler(self) -> bool:
        """Whether a scheduler looked for a node: behind a gate the reason is another one, so this is newer."""
        return self.reason == _UNSCHEDULABLE


def unscheduled(status: Mapping[str, Any]) -> Unscheduled | None:
    """Return what the condition says about a pod without a node, None without such a condition."""
    condition = _condition(status, SCHEDULED, "False")
    if not condition:
        return None
    reason, message = (str(condition.get(field) or "") for field in ("reason", "message"))
    return Unscheduled(reason, message)


def fence(status: Mapping[str, Any]) -> str:
    """Return the moment (RFC 3339) up to which no grant of the pod may be carried out, "" without a fence."""
    return _condition(status, names.TAKEN_BACK_CONDITION, "True").get("message") or ""


def _condition(status: Mapping[str, Any], kind: str, value: str) -> Mapping[str, Any]:
    """Return the condition of this type if it has this status, empty when it has not."""
    conditions = status.get("conditions") or ()
    return next((each for each in conditions if (each.get("type"), each.get("status")) == (kind, value)), {})
