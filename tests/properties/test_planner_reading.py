"""Whatever people write into a pod, it is read: into requests that could be served, or into sentences."""

from typing import Any

import hypothesis
from hypothesis import strategies

from kits.manifests import builders
from neuronspan import annotations, instance_types, names
from neuronspan_operator.objects import pods

POD_WIDE = [each.name for each in annotations.OF_USERS]
PER_CONTAINER = [
    f"{each.per_container}{name}" for each in annotations.OF_USERS if each.per_container for name in ("app", "init")
]
WORDS = strategies.sampled_from(
    ["visible", "count", "device", "none", "4-7", "3,4,1", "2x2", "0", "-1", "3,5", "", " "]
)
VALUES = strategies.one_of(WORDS, strategies.integers(-3, 200).map(str), strategies.text(max_size=8))
ANNOTATIONS = strategies.dictionaries(strategies.sampled_from(POD_WIDE + PER_CONTAINER), VALUES, max_size=5)


@strategies.composite
def _pods(draw: strategies.DrawFn) -> dict[str, Any]:
    amounts = strategies.sampled_from([0, 0, 1, 2, 4, 200])
    names_ = {"apps": ["app", "other"], "inits": ["init", "side"]}
    made = {
        kind: [
            builders.container(
                name,
                cores=draw(amounts),
                devices=draw(amounts) // 2,
                sidecar=name == "side" and draw(strategies.booleans()),
            )
            for name in each[: draw(strategies.integers(int(kind == "apps"), 2))]
        ]
        for kind, each in names_.items()
    }
    return builders.make_pod(annotations=draw(ANNOTATIONS), containers=made["apps"], init_containers=made["inits"])


@hypothesis.given(_pods())
@hypothesis.settings(deadline=None, max_examples=400)
def test_pod_is_read_into_possible_requests_or_sentences(manifest: dict[str, Any]) -> None:
    pod = pods.read(manifest)
    everyone = [each["name"] for part in ("initContainers", "containers") for each in manifest["spec"].get(part, ())]
    assert all(problem and problem == problem.strip() for problem in pod.problems)
    served = [name for request in pod.requests for name in (request.container, *request.init_containers)]
    assert len(served) == len(set(served))
    assert set(served) <= set(everyone)
    for request in pod.requests:
        assert 1 <= request.count <= instance_types.MOST_CORES
        assert request.resource in names.RESOURCES


@hypothesis.given(_pods())
@hypothesis.settings(deadline=None, max_examples=200)
def test_chain_asks_for_as_much_as_its_largest_member(manifest: dict[str, Any]) -> None:
    manifest["metadata"].pop("annotations", None)
    pod = pods.read(manifest)
    if pod.problems:
        return
    limits = {
        each["name"]: each["resources"]["limits"]
        for part in ("initContainers", "containers")
        for each in manifest["spec"].get(part, ())
    }
    for request in pod.requests:
        members = (request.container, *request.init_containers)
        assert request.count == max(int(limits[name][request.resource]) for name in members)
    asking = {name for name, amounts in limits.items() if any(resource in amounts for resource in names.RESOURCES)}
    assert asking == {name for request in pod.requests for name in (request.container, *request.init_containers)}
