"""Requests drawn at random: likely ones, near misses, and what nobody would write.

What is drawn has the types of Kubernetes' fields, so that an API server can read it.
"""

from typing import Any

from hypothesis import strategies

from neuronspan import annotations, names

Manifest = dict[str, Any]
Drawn = strategies.SearchStrategy[Manifest]

CONTAINERS = ("app", "b", "proxy", "setup")
_GROUP = names.GROUP
OF_CONTAINERS = [
    f"{prefix}{container}"
    for prefix in (names.CONTAINER_CORES_PREFIX, names.CONTAINER_DEVICES_PREFIX)
    for container in (*CONTAINERS, "web")
]
_FOREIGN = ["example.com/cores", f"scheduler.example.com/{_GROUP}", f"my{_GROUP}/cores", "plain"]
WRONG_KEYS = [
    f"{_GROUP}/core", f"core.{_GROUP}/app", f"cores.{_GROUP}", f"{_GROUP}", f"x.y.{_GROUP}/z", f"cores.{_GROUP}/",
    f"cores.{_GROUP}/a.b", names.GRANT_ANNOTATION, "kubernetes.io/config.mirror",
]  # fmt: skip
USERS = [each.name for each in annotations.OF_USERS]
_CHOICES = [choice.value for each in annotations.OF_USERS for choice in each.choices]
COUNTS = ["1", "2", "3", "4", "4", "4", "8", "16", "17", "128", "129", "0", "-1", "04", "1.5", "x", "", "9" * 20]
_RUNS = ["4-7", "0", "127", "120-128", "128", "7-4", "3,5", "04-07", "0-3", "99999", "4-"]
_SIZES = [
    "4",
    "3,1",
    "2x2",
    "3,4,1",
    "100,29",
    "2x",
    "3,,4",
    "99999x99999",
    ",".join(["1"] * 128),
    ",".join(["1"] * 130),
]
OTHERS = [*CONTAINERS, "web", "train", "A B", "a\nb", " ", "é" * 70, "true"]
QUANTITIES = ["1", "2", "4", "4", "8", "0", "128", "129", "16", "17", "500m", "2k", "1e1", "0.125Ki", "4000m", "1E"]
_LIMITS = [
    names.CORE_RESOURCE,
    names.CORE_RESOURCE,
    names.DEVICE_RESOURCE,
    "cpu",
    "aws.amazon.com/neurons",
    "aws.amazon.com/neuron-x",
]


def _values(key: str) -> strategies.SearchStrategy[str]:
    likely = {
        names.VISIBLE_CORES_ANNOTATION: _RUNS,
        names.GROUP_SIZES_ANNOTATION: _SIZES,
        names.ENV_ANNOTATION: _CHOICES,
        names.ALIGN_ANNOTATION: _CHOICES,
        names.CONTAINER_ANNOTATION: OTHERS,
        names.POD_GROUP_ANNOTATION: OTHERS,
    }.get(key, COUNTS)
    often = strategies.sampled_from(likely)
    return strategies.one_of(often, often, often, strategies.sampled_from([*COUNTS, *_RUNS, *_SIZES, *OTHERS]))


def _annotations(most: int = 4) -> Drawn:
    keys = strategies.sampled_from([*USERS, *USERS, *OF_CONTAINERS, *_FOREIGN, *WRONG_KEYS])
    usual = strategies.sampled_from([names.CORES_ANNOTATION, names.DEVICES_ANNOTATION, *OF_CONTAINERS])
    pairs = strategies.one_of(usual, usual, keys).flatmap(
        lambda key: strategies.tuples(strategies.just(key), _values(key))
    )
    return strategies.lists(pairs, max_size=most).map(dict)


@strategies.composite
def _container(draw: strategies.DrawFn, name: str, *, init: bool = False) -> Manifest:
    made = {"name": name, "image": "x"}
    parts: Manifest = {}
    if draw(strategies.integers(0, 2)) == 0:
        amounts = strategies.dictionaries(
            strategies.sampled_from(_LIMITS), strategies.sampled_from(QUANTITIES), max_size=2
        )
        parts["limits"] = draw(amounts)
    if draw(strategies.integers(0, 5)) == 0:
        parts["requests"] = draw(
            strategies.sampled_from([{"cpu": "1"}, {names.CORE_RESOURCE: "4"}, dict(parts.get("limits", {}))])
        )
    if init and draw(strategies.booleans()):
        made["restartPolicy"] = draw(strategies.sampled_from(["Always", "Always", "OnFailure"]))
    return {**made, **({"resources": parts} if parts else {})}


@strategies.composite
def _spec(draw: strategies.DrawFn) -> Manifest:
    order = draw(strategies.permutations(CONTAINERS))
    apps = draw(strategies.integers(1, 2))
    inits = draw(strategies.sampled_from([0, 0, 1, 2]))
    spec: Manifest = {"containers": [draw(_container(name)) for name in order[:apps]]}
    if inits:
        spec["initContainers"] = [draw(_container(name, init=True)) for name in order[apps : apps + inits]]
    rarely = strategies.integers(0, 6).map(lambda number: number == 0)
    if draw(rarely):
        spec["schedulerName"] = draw(strategies.sampled_from(["", "default-scheduler", names.SCHEDULER, "volcano"]))
    if draw(rarely):
        spec["nodeName"] = draw(strategies.sampled_from(["w1", ""]))
    if draw(rarely):
        spec["resourceClaims"] = [{"name": "gpu", "resourceClaimName": "gpu"}]
    gates: list[str] = draw(
        strategies.lists(strategies.sampled_from([names.SCHEDULING_GATE, "example.com/g"]), unique=True, max_size=2)
    )
    is_gated = draw(rarely)
    if gates and is_gated:
        spec["schedulingGates"] = [{"name": each} for each in gates]
    return spec


def _labels() -> Drawn:
    keys = strategies.sampled_from(
        ["app", names.MANAGED_LABEL, names.CORES_ANNOTATION, *OF_CONTAINERS[:2], f"{_GROUP}/x"]
    )
    some = strategies.dictionaries(keys, strategies.sampled_from(["x", "true", "4"]), max_size=2)
    return strategies.one_of(strategies.just({}), strategies.just({}), some)


@strategies.composite
def _likely(draw: strategies.DrawFn) -> Manifest:
    """Draw a pod as most are: a container is asked for once, by annotation or by limit, or not at all."""
    order = draw(strategies.permutations(CONTAINERS))
    apps, inits = draw(strategies.integers(1, 2)), draw(strategies.sampled_from([0, 0, 0, 1]))
    found: list[Manifest] = [{"name": name, "image": "x"} for name in order[: apps + inits]]
    written: dict[str, str] = {}
    for place, each in enumerate(found):
        count = draw(strategies.sampled_from(["1", "2", "4", "16"]))
        how = draw(strategies.sampled_from(["annotation", "annotation", "limit", "cpu", ""]))
        if how == "annotation":
            resource = draw(strategies.sampled_from(["cores", "cores", "devices"]))
            written[f"{_GROUP}/{resource}" if place == 0 else f"{resource}.{_GROUP}/{each['name']}"] = count
        if how in {"limit", "cpu"}:
            resource = "cpu" if how == "cpu" else draw(strategies.sampled_from(names.RESOURCES))
            parts = draw(strategies.sampled_from([["limits"], ["limits", "requests"]]))
            found[place] = {**each, "resources": {part: {resource: count} for part in parts}}
    metadata = {"name": "drawn", "annotations": written, "labels": draw(strategies.sampled_from([{}, {"app": "x"}]))}
    spec: Manifest = {"containers": found[:apps], **({"initContainers": found[apps:]} if inits else {})}
    schedulers = ["", "default-scheduler", "default-scheduler", names.SCHEDULER, "volcano", "volcano"]
    spec["schedulerName"] = draw(strategies.sampled_from(schedulers))
    spec["schedulingGates"] = draw(strategies.sampled_from([[], [], [{"name": "example.com/g"}]]))
    if draw(strategies.sampled_from([False, False, False, True])):
        spec["resourceClaims"] = [{"name": "gpu", "resourceClaimName": "gpu"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def pods(*, claims: bool = True) -> Drawn:
    """Draw a pod: one that can be meant, or whatever somebody writes; with resource claims only where they are kept."""
    drawn = strategies.one_of(_likely(), _likely(), _wild())
    return drawn if claims else drawn.map(_without_claims)


def _without_claims(pod: Manifest) -> Manifest:
    return {**pod, "spec": {key: value for key, value in pod["spec"].items() if key != "resourceClaims"}}


@strategies.composite
def _wild(draw: strategies.DrawFn) -> Manifest:
    metadata = {"name": "drawn", "annotations": draw(_annotations()), "labels": draw(_labels())}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": draw(_spec())}


@strategies.composite
def workloads(draw: strategies.DrawFn, kind: str) -> Manifest:
    """Draw a workload of a kind."""
    spec = {each: value for each, value in draw(_spec()).items() if each not in {"nodeName", "schedulingGates"}}
    labels = {"app": "x", **draw(_labels())}
    metadata = {"labels": {**labels, "app": "x"}, "annotations": draw(_annotations())}
    template = {
        "metadata": metadata,
        "spec": {**spec, "restartPolicy": "Never" if kind in {"Job", "CronJob"} else "Always"},
    }
    plain = {"selector": {"matchLabels": {"app": "x"}}, "template": template}
    of_job = {"metadata": {"annotations": draw(_annotations(1))}, "spec": {"template": template}}
    specs: Manifest = {
        "StatefulSet": {**plain, "serviceName": "x"},
        "Job": {"template": template},
        "CronJob": {"schedule": "0 0 * * *", "jobTemplate": of_job},
    }
    beside = draw(strategies.one_of(strategies.just({}), _annotations(1)))
    version = "batch/v1" if kind in {"Job", "CronJob"} else "apps/v1"
    own = {"name": "drawn", "namespace": "default", "annotations": beside}
    return {"apiVersion": version, "kind": kind, "metadata": own, "spec": specs.get(kind, plain)}


@strategies.composite
def changes(draw: strategies.DrawFn, kind: str) -> Manifest:
    """Draw a merge patch of a workload of a kind: of its annotations, of those in its template, of neither."""
    some: Drawn = strategies.one_of(strategies.just({}), _annotations(2))
    template = {"metadata": {"annotations": draw(some)}}
    job = {"metadata": {"annotations": draw(some)}, "spec": {"template": template}}
    spec = {"jobTemplate": job} if kind == "CronJob" else {"template": template}
    return {"metadata": {"annotations": draw(some), "labels": {"changed": "yes"}}, "spec": spec}
