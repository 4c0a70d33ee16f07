"""Reads NeuronNode objects, and builds the manifest and the compare-and-swap patch the operator writes.

Law: spec is the ledger and only the operator's; status is only the plugin's. A ledger that cannot be read is a problem
in words, never an exception: no cores of that node are granted until it is repaired.
"""

import dataclasses
import datetime as dt
import itertools
from collections.abc import Iterable, Mapping
from typing import Any, Final

from neuronspan import errors, instance_types, names, spans
from neuronspan import ledger as ledgers  # the view's field has the plain name
from neuronspan_operator.objects import nodes

_LONG_AGO: Final = dt.datetime.min.replace(tzinfo=dt.UTC)
_NEVER: Final = dt.datetime(9000, 1, 1, tzinfo=dt.UTC)
"""Later moments are nobody's clock, and too near the end of what can be counted to add anything to them."""


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """Cores that a container holds on the node, as its plugin reports."""

    pod_uid: str  # empty when the plugin cannot tell
    namespace: str
    pod: str
    container: str
    span: spans.CoreSpan
    resource: str
    processes: bool  # whether a process of the pod is left


@dataclasses.dataclass(frozen=True, slots=True)
class Unhealthy:
    """Cores side by side that cannot be used, all for the same reason."""

    span: spans.CoreSpan
    reason: str  # as the plugin reports it, "" when it gives none

    def __str__(self) -> str:
        return f"{self.span} ({self.reason})" if self.reason else str(self.span)


@dataclasses.dataclass(frozen=True, slots=True)
class NeuronNodeView:
    """What the planner knows of one NeuronNode."""

    name: str
    resource_version: str = ""
    owned: bool = False  # by its Node, as older versions made it: it would be deleted together with the Node
    deleted: bool = False
    hardware: instance_types.Hardware | None = None
    advertised: instance_types.Hardware | None = None  # what the plugin says it serves
    detects: bool = False  # its hardware is what the node really has, and not simulated
    detected: instance_types.Hardware | None = None  # what the plugin says the node really has
    complaint: str = ""  # what the plugin says is wrong with the hardware
    blank: bool = False  # no hardware was given to it yet, and so no core to anybody
    core_numbering: str = names.NODE_NUMBERING
    ledger: ledgers.Ledger | None = None  # None when it cannot be read: see ``problem``
    problem: str = ""
    user_namespaces: bool | None = None  # whether pods with one of their own get devices; None: the plugin is too old
    epoch: str = ""  # new at each start of the plugin
    registered: bool = False
    held: tuple[Held, ...] = ()
    released: frozenset[str] = frozenset()  # pod UIDs
    unhealthy: tuple[Unhealthy, ...] = ()  # ascending


def read(manifest: Mapping[str, Any]) -> NeuronNodeView:
    """Read a NeuronNode as the API server sends it."""
    metadata, spec, status = manifest.get("metadata") or {}, manifest.get("spec") or {}, manifest.get("status") or {}
    hardware, problem = _hardware(spec.get("hardware"))
    stored = None
    if hardware is not None:
        stored, problem = _ledger(hardware, spec.get("grants") or ())
    return NeuronNodeView(
        name=metadata.get("name", ""),
        resource_version=metadata.get("resourceVersion", ""),
        owned=bool(metadata.get("ownerReferences")),
        deleted="deletionTimestamp" in metadata,
        hardware=hardware,
        advertised=_hardware(status.get("hardware"))[0],
        detects="detect" in spec,
        detected=_hardware(status.get("detected"))[0],
        complaint=_message(status, names.HARDWARE_ACCEPTED_CONDITION),
        blank=not spec.get("hardware") and not spec.get("grants"),
        core_numbering=spec.get("coreNumbering") or names.NODE_NUMBERING,
        ledger=stored,
        problem=problem,
        user_namespaces=status.get("userNamespaces"),
        epoch=status.get("epoch") or "",
        registered=_holds(status, names.REGISTERED_CONDITION),
        held=tuple(_held(status.get("held") or ())),
        released=frozenset(status.get("released") or ()),
        unhealthy=_unhealthy(status.get("cores") or ()),
    )


def _hardware(raw: Mapping[str, Any] | None) -> tuple[instance_types.Hardware | None, str]:
    if not raw:
        return None, "spec.hardware is empty: give it the hardware of a NeuronPool"
    try:
        return instance_types.Hardware.from_dict(raw), ""
    except errors.InvalidHardware as error:
        return None, str(error)


def _ledger(hardware: instance_types.Hardware, raw: Iterable[Mapping[str, Any]]) -> tuple[ledgers.Ledger | None, str]:
    try:
        return ledgers.Ledger.from_list(hardware.cores, raw), ""
    except errors.NeuronspanError as error:
        return None, str(error)


def _holds(status: Mapping[str, Any], condition: str) -> bool:
    conditions = status.get("conditions") or ()
    return any(each.get("type") == condition and each.get("status") == "True" for each in conditions)


def _message(status: Mapping[str, Any], condition: str) -> str:
    """Return what a condition that does not hold says."""
    conditions = status.get("conditions") or ()
    return next((each.get("message") or "" for each in conditions if _is_false(each, condition)), "")


def _is_false(raw: Mapping[str, Any], condition: str) -> bool:
    return raw.get("type") == condition and raw.get("status") == "False"


def _held(raw: Iterable[Mapping[str, Any]]) -> Iterable[Held]:
    for each in raw:
        yield Held(
            pod_uid=each.get("podUID") or "",
            namespace=each.get("namespace", ""),
            pod=each.get("pod", ""),
            container=each.get("container", ""),
            span=spans.CoreSpan(each["first"], each["count"]),
            resource=each.get("resource") or names.CORE_RESOURCE,
            processes=bool(each.get("processes", True)),
        )


def _unhealthy(cores: Iterable[Mapping[str, Any]]) -> tuple[Unhealthy, ...]:
    """Join the cores that are unhealthy for the same reason into maximal runs."""
    reasons = {core["index"]: core.get("reason") or "" for core in cores if not core.get("healthy", True)}
    runs = itertools.groupby(
        enumerate(sorted(reasons)), key=lambda numbered: (numbered[1] - numbered[0], reasons[numbered[1]])
    )
    return tuple(Unhealthy(spans.CoreSpan.of_cores(core for _, core in run), reason) for (_, reason), run in runs)


def moment(text: str) -> dt.datetime:
    """Read a grant's ``since``; one that names no moment, or none that a clock may show, counts as long ago."""
    try:
        found = dt.datetime.fromisoformat(text)
        return found.astimezone(dt.UTC) if found.tzinfo is not None and found < _NEVER else _LONG_AGO
    except (ValueError, OverflowError):
        return _LONG_AGO


def timestamp(moment: dt.datetime) -> str:
    """Write a moment with microseconds: two grants of one pod on one node must never look alike."""
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


# --- what the operator writes ----------------------------------------------------------------------------------------


def spec_patch(view: NeuronNodeView, changed: ledgers.Ledger) -> dict[str, Any]:
    """Return the merge patch that stores a ledger if, and only if, the object has not changed since it was read."""
    return {"metadata": {"resourceVersion": view.resource_version}, "spec": _spec_of(changed)}


def _spec_of(stored: ledgers.Ledger) -> dict[str, Any]:
    return {
        "cores": stored.cores,
        "grants": stored.to_list(),
        "granted": stored.granted_cores,
        "free": stored.free_cores,
        "largestFreeRun": stored.largest_free_run(),
    }


def manifest(
    node: nodes.NodeView, hardware: instance_types.Hardware, core_numbering: str = names.NODE_NUMBERING
) -> dict[str, Any]:
    """Return the NeuronNode of a node that has none yet: an empty ledger.

    It has no owner: the ledger outlives a deleted Node, whose processes may run on (see pools/standings.py).
    """
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.NEURON_NODE_KIND,
        "metadata": {"name": node.name},
        "spec": {"coreNumbering": core_numbering, **profile_spec(hardware)},
    }


def manifest_to_detect(node: nodes.NodeView) -> dict[str, Any]:
    """Return the NeuronNode of a node that is asked what it has; its plugin answers in the status."""
    metadata = {"name": node.name}
    spec = {each: value for each, value in detection_spec(node).items() if value is not None}
    return {"apiVersion": names.API_VERSION, "kind": names.NEURON_NODE_KIND, "metadata": metadata, "spec": spec}


def profile_spec(hardware: instance_types.Hardware) -> dict[str, Any]:
    """Return what of a spec follows from the hardware of a node where nobody has a core."""
    return {"hardware": hardware.to_dict(), **_spec_of(ledgers.Ledger(hardware.cores))}


def detection_spec(node: nodes.NodeView) -> dict[str, Any]:
    """Return what of a spec asks a node what it has; None is what has to go.

    Containers count from 0 on real hardware, as with AWS's own device plugin: their runtime knows no other numbers.
    """
    gone = dict.fromkeys(("hardware", "cores", "granted", "free", "largestFreeRun"))
    label = node.labels.get(names.INSTANCE_TYPE_LABEL, "")
    return {**gone, "detect": {"instanceType": label}, "coreNumbering": names.CONTAINER_NUMBERING}
