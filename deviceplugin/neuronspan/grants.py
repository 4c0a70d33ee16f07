"""A grant: these cores of this node belong to this container of this pod, and the table of a grant's life.

Law: a state changes only along TRANSITIONS, and a Releasing grant still owns its cores.
"""

import dataclasses
import enum
import re
import types
from collections.abc import Mapping
from typing import Any, Final, Self

from neuronspan import errors, names, spans, visible_cores

MOST_INIT_CONTAINERS: Final = 64
LONGEST_GROUP_SIZES: Final = 1024
"""What the CRD of NeuronNode stores of one grant: more would be refused together with the whole ledger."""

Key = tuple[str, str]  # pod UID, container: at most one grant each

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})", re.ASCII)


class GrantState(enum.StrEnum):
    """Where a grant is in its life."""

    GRANTED = "Granted"  # decided, not yet seen on the node
    CONFIRMED = "Confirmed"  # the node says that the container holds these cores
    RELEASING = "Releasing"  # the pod is over; no proof yet that its processes are gone


class EnvMode(enum.StrEnum):
    """What the container is told: which cores, or only how many."""

    VISIBLE = "visible"
    COUNT = "count"


TRANSITIONS: Mapping[GrantState, frozenset[GrantState]] = types.MappingProxyType(
    {
        GrantState.GRANTED: frozenset({GrantState.CONFIRMED, GrantState.RELEASING}),
        GrantState.CONFIRMED: frozenset({GrantState.RELEASING}),
        GrantState.RELEASING: frozenset(),
    }
)


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """One container's cores. Raises InvalidGrant."""

    pod_uid: str
    namespace: str
    pod: str
    container: str
    span: spans.CoreSpan
    resource: str  # names.CORE_RESOURCE or names.DEVICE_RESOURCE: what kubelet counts
    env: EnvMode
    state: GrantState
    since: str  # RFC 3339: when it came into this state
    group_sizes: str = ""  # NEURONCORE_GROUP_SIZES, "" for none; the groups together are the span
    init_containers: tuple[str, ...] = ()  # finished init containers whose devices this container takes over

    def __post_init__(self) -> None:
        for field in ("pod_uid", "namespace", "pod", "container"):
            if not _is_name(getattr(self, field)):
                raise self._wrong(field, "give a name")
        if not isinstance(self.span, spans.CoreSpan):
            raise self._wrong("span", "give a CoreSpan")
        if self.resource not in names.RESOURCES:
            raise self._wrong("resource", f"it is one of {', '.join(names.RESOURCES)}")
        if not isinstance(self.env, EnvMode):
            raise self._wrong("env", f"it is one of {', '.join(EnvMode)}")
        if not isinstance(self.state, GrantState):
            raise self._wrong("state", f"it is one of {', '.join(GrantState)}")
        if not _is_name(self.since) or not _RFC3339.fullmatch(self.since):
            raise self._wrong("since", "give an RFC 3339 time like 2026-01-31T09:00:00Z")
        self._check_group_sizes()
        self._check_init_containers()

    @property
    def key(self) -> Key:
        """Pod UID and container."""
        return self.pod_uid, self.container

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod}[{self.container}] {self.span}"

    def moved_to(self, state: GrantState, since: str) -> Self:
        """Return the grant in another state; raises IllegalTransition when TRANSITIONS has no such step."""
        if state not in TRANSITIONS[self.state]:
            allowed = " or ".join(sorted(TRANSITIONS[self.state])) or "nothing: it can only be forgotten"
            raise errors.IllegalTransition(f"grant {self} is {self.state} and cannot become {state}: only {allowed}")
        return dataclasses.replace(self, state=state, since=since)

    def to_dict(self) -> dict[str, Any]:
        """Return the form stored in NeuronNode.spec.grants; what most grants do not have is left out.

        Every field of every grant is handled a dozen times when the API server stores a ledger.
        """
        stored = {
            "podUID": self.pod_uid,
            "container": self.container,
            "namespace": self.namespace,
            "pod": self.pod,
            "first": self.span.first,
            "count": self.span.count,
            "resource": self.resource,
            "env": str(self.env),
            "state": str(self.state),
            "since": self.since,
        }
        rare = {"groupSizes": self.group_sizes, "initContainers": list(self.init_containers)}
        return stored | {field: value for field, value in rare.items() if value}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read the form of ``to_dict``; further keys are ignored, groupSizes and initContainers may be absent.

        Raises InvalidGrant.
        """
        try:
            return cls(
                pod_uid=raw["podUID"],
                namespace=raw["namespace"],
                pod=raw["pod"],
                container=raw["container"],
                span=spans.CoreSpan(raw["first"], raw["count"]),
                resource=raw["resource"],
                env=EnvMode(raw["env"]),
                state=GrantState(raw["state"]),
                since=raw["since"],
                group_sizes=raw.get("groupSizes", ""),
                init_containers=_names(raw.get("initContainers", ())),
            )
        except KeyError as error:
            raise errors.InvalidGrant(f"grant {raw!r} lacks {error.args[0]}: give it") from error
        except (ValueError, TypeError) as error:
            raise errors.InvalidGrant(f"grant {raw!r} cannot be read: {error}") from error

    def _check_group_sizes(self) -> None:
        if self.group_sizes == "":
            return
        if not isinstance(self.group_sizes, str):
            raise self._wrong("group_sizes", "give a text like 3,4,1")
        if len(self.group_sizes) > LONGEST_GROUP_SIZES:
            raise self._wrong("group_sizes", f"write it in at most {LONGEST_GROUP_SIZES} characters, like 64x2")
        try:
            total = sum(visible_cores.parse_group_sizes(self.group_sizes))
        except errors.InvalidCoreSet as error:
            raise self._wrong("group_sizes", "give the cores of each group, like 3,4,1") from error
        if total != self.span.count:
            raise self._wrong("group_sizes", f"its sum is {total}, make it the {self.span.count} cores of the span")

    def _check_init_containers(self) -> None:
        members = (self.container, *self.init_containers)
        if not all(map(_is_name, members)) or len(set(members)) != len(members):
            raise self._wrong("init_containers", f"give other containers than {self.container}, each once")
        if len(self.init_containers) > MOST_INIT_CONTAINERS:
            raise self._wrong("init_containers", f"give at most {MOST_INIT_CONTAINERS}")

    def _wrong(self, field: str, way_out: str) -> errors.InvalidGrant:
        who = f"{self.namespace}/{self.pod}[{self.container}]"
        return errors.InvalidGrant(f"{field} of the grant of {who} is {getattr(self, field)!r}: {way_out}")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _names(value: Any) -> tuple[str, ...]:
    """Return a list as a tuple; a text, of which Python would make one name per letter, is refused."""
    if isinstance(value, str):
        raise TypeError(f"{value!r} is not a list of names")
    return tuple(value)
