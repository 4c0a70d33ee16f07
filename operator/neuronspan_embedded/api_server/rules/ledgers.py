"""The promises of our CustomResourceDefinitions that stand in CEL there, kept here by the domain's own functions."""

from collections.abc import Iterator, Mapping
from typing import Any

from neuronspan import errors, grants, instance_types, ledger, names, spans

Manifest = Mapping[str, Any]

_WORDS: Mapping[type[errors.LedgerError], str] = {
    errors.SpanOutOfRange: "a grant reaches past the node's last core",
    errors.SpanOverlap: "two grants share a core",
    errors.DuplicateGrant: "two grants belong to the same container of the same pod",
}
_SIZE_OF_ITS_OWN = "detected hardware has the logicalCoreSize that is configured on the node: leave it out"
_UNDECLARED = "-"
_LONG_AGO = "2000-01-01T00:00:00Z"


def problems(plural: str, manifest: Manifest, before: Manifest | None) -> Iterator[str]:
    """Yield what forbids to store a NeuronNode or a NeuronPool that its schema lets through."""
    if plural == names.NEURON_NODES:
        yield from _of_node(manifest["spec"], None if before is None else before["spec"])
    elif plural == names.NEURON_POOLS:
        yield from _of_pool(manifest["spec"]["hardware"])


def _of_node(spec: Manifest, before: Manifest | None) -> Iterator[str]:
    if "hardware" not in spec or "cores" not in spec:
        yield from _without_hardware(spec)
        return
    hardware, cores = spec["hardware"], spec["cores"]
    if cores != hardware["devices"] * hardware["coresPerDevice"]:
        yield f"spec.cores: Invalid value: {cores}: cores must be devices times coresPerDevice"
    for problem in (_overlap(spec), _step(spec, before or {})):
        if problem:
            yield f"spec.grants: Invalid value: {problem}"
    if any(each["first"] + each["count"] > cores for each in spec.get("faults") or ()):
        yield "spec.faults: Invalid value: a fault reaches past the node's last core"
    if before is not None and before.get("grants") and before.get("hardware") != hardware:
        why = "the hardware of a node cannot change while containers have its cores: drain the node first"
        yield f"spec.hardware: Invalid value: {why}"


def _without_hardware(spec: Manifest) -> Iterator[str]:
    """Yield what is wrong with a node without hardware: it has to be one that is asked what it has."""
    if "hardware" in spec or "cores" in spec:
        yield "spec.hardware: Invalid value: hardware and cores are there together or not at all"
    elif "detect" not in spec:
        yield "spec.hardware: Invalid value: hardware is missing: only a node that is asked what it has goes without"
    if spec.get("grants"):
        yield "spec.grants: Invalid value: without hardware there are no cores to grant"


def _of_pool(hardware: Manifest) -> Iterator[str]:
    if hardware["instanceType"] == instance_types.DETECT:
        if "logicalCoreSize" in hardware:
            yield f"spec.hardware: Invalid value: {_SIZE_OF_ITS_OWN}"
        return
    try:
        instance_types.hardware_of(hardware["instanceType"], hardware.get("logicalCoreSize"))
    except errors.InvalidHardware as error:
        yield f"spec.hardware: Invalid value: {error}"


def _overlap(spec: Manifest) -> str:
    device = spec["hardware"]["coresPerDevice"]
    try:
        made = ledger.Ledger(spec["cores"], tuple(map(_grant, spec.get("grants") or ())))
    except errors.LedgerError as error:
        return _WORDS.get(type(error), str(error))
    for each in made.grants:
        whole = each.span.first % device == 0 and each.span.count % device == 0
        if each.resource == names.DEVICE_RESOURCE and not whole:
            return "a grant of whole Neuron devices must start and end on a device boundary"
    firsts = [each["first"] for each in spec.get("grants") or ()]
    return "" if firsts == sorted(firsts) else "grants stand in the order of their first cores"


def _grant(raw: Manifest) -> grants.Grant:
    """Return a grant of the fields that the schema declares; who reads a ledger checks the others."""
    return grants.Grant(
        pod_uid=raw["podUID"],
        namespace=_UNDECLARED,
        pod=_UNDECLARED,
        container=raw["container"],
        span=spans.CoreSpan(raw["first"], raw["count"]),
        resource=raw["resource"],
        env=grants.EnvMode.VISIBLE,
        state=grants.GrantState(raw["state"]),
        since=_LONG_AGO,
    )


def _step(spec: Manifest, before: Manifest) -> str:
    """Return what is wrong with what has become of the grants that were there, "" when nothing is."""
    now = {(each["podUID"], each["container"]): each for each in spec.get("grants") or ()}
    for old in before.get("grants") or ():
        new = now.get((old["podUID"], old["container"]))
        was = grants.GrantState(old["state"])
        if new is None:
            if was is grants.GrantState.CONFIRMED:
                rest = "make it Releasing and wait until the node reports the pod as released"
                return f"a Confirmed grant cannot be dropped: {rest}"
        elif new["count"] != old["count"]:
            return "the size of a grant never changes: release the grant and make a new one"
        elif (state := grants.GrantState(new["state"])) is not was and state not in grants.TRANSITIONS[was]:
            life = "a grant goes from Granted to Confirmed to Releasing and never back"
            return f"{life}: it was {was} and cannot become {state}"
    return ""
