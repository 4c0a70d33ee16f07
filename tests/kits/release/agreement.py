"""Three-sided agreement: ledger, kubelet and container environment must name the same cores.

Pure: what was read goes in, complaints come out.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from neuronspan import device_ids, errors, grants, instance_types, names, spans


@dataclasses.dataclass(frozen=True, order=True)
class ContainerName:
    """One container of one pod."""

    namespace: str
    pod: str
    container: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod}/{self.container}"


@dataclasses.dataclass(frozen=True)
class NodeRecord:
    """What was read of one node: ledger, kubelet's PodResources, and the environment of each running container."""

    name: str
    hardware: instance_types.Hardware
    ledger: Mapping[ContainerName, grants.Grant]
    kubelet: Mapping[ContainerName, Mapping[str, Sequence[str]]]
    """Resource name -> device IDs, as kubelet lists them."""
    environment: Mapping[ContainerName, Mapping[str, str]]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The outcome over all nodes."""

    containers: int
    cores: int
    complaints: tuple[str, ...]

    def __str__(self) -> str:
        if self.complaints:
            return "\n".join(self.complaints)
        return (
            f"{self.containers} containers hold {self.cores} cores: every span is contiguous and exclusive; "
            "ledger, kubelet PodResources and container environment agree"
        )


def ledger_side(items: Iterable[Mapping[str, object]]) -> dict[ContainerName, grants.Grant]:
    """Read the `grants` list of a NeuronNode's spec."""
    read = (grants.Grant.from_dict(dict(item)) for item in items)
    return {ContainerName(grant.namespace, grant.pod, grant.container): grant for grant in read}


def environment_side(listing: str) -> dict[str, str]:
    """Read what `env` printed."""
    return dict(line.split("=", 1) for line in listing.splitlines() if "=" in line)


def _environment_complaint(grant: grants.Grant, environment: Mapping[str, str]) -> str | None:
    if grant.env is grants.EnvMode.COUNT:
        want = {names.NUM_CORES_ENV: str(grant.span.count), names.VISIBLE_CORES_ENV: ""}
    else:
        want = {names.VISIBLE_CORES_ENV: str(grant.span)}
    want |= {names.GRANT_ENV: str(grant.span)}
    seen = {key: environment.get(key, "") for key in want}
    wrong = [f"{key}={seen[key]!r}, not {value!r}" for key, value in want.items() if seen[key] != value]
    return "; ".join(wrong) or None


def _kubelet_complaint(record: NodeRecord, grant: grants.Grant, devices: Mapping[str, Sequence[str]]) -> str | None:
    try:
        span = device_ids.span_of(grant.resource, devices.get(grant.resource, ()), record.hardware)
    except errors.NeuronspanError as error:
        return f"kubelet's devices {devices} are no span: {error}"
    return None if span == grant.span else f"kubelet holds {span}, the ledger says {grant.span}"


def _shared_cores(record: NodeRecord) -> list[str]:
    """Name every core that kubelet gave to two containers, whatever the ledger says."""
    owners: dict[int, ContainerName] = {}
    found = []
    for name, devices in record.kubelet.items():
        of_each = (device_ids.cores_of(resource, ids, record.hardware) for resource, ids in devices.items())
        cores = sorted(frozenset().union(*of_each))
        twice = [core for core in cores if core in owners]
        found += [f"{record.name}: core {core} belongs to {owners[core]} and to {name}" for core in twice]
        owners |= dict.fromkeys(cores, name)
    return found


def _node_complaints(record: NodeRecord) -> list[str]:
    found = _shared_cores(record)
    for name, environment in record.environment.items():
        grant = record.ledger.get(name)
        devices = record.kubelet.get(name, {})
        if grant is None:
            found.append(f"{name} runs on {record.name} without a grant in the ledger (kubelet: {devices})")
            continue
        for complaint in (_kubelet_complaint(record, grant, devices), _environment_complaint(grant, environment)):
            if complaint is not None:
                found.append(f"{name} on {record.name}: {complaint}")
    found += [
        f"{name}: kubelet on {record.name} holds {devices} for it, the ledger knows nothing of it"
        for name, devices in record.kubelet.items()
        if devices and name not in record.ledger
    ]
    return found


def verdict(records: Iterable[NodeRecord]) -> Verdict:
    """Compare the three sides on every node; overlap, a gap, a missing side and any difference is a complaint."""
    containers = 0
    cores: list[spans.CoreSpan] = []
    complaints: list[str] = []
    for record in records:
        containers += len(record.environment)
        cores += [record.ledger[name].span for name in record.environment if name in record.ledger]
        complaints += _node_complaints(record)
    return Verdict(containers, sum(span.count for span in cores), tuple(complaints))
