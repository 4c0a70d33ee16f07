"""Every bad request is refused at creation, in a sentence that names the thing, the value and the way out."""

import http
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from neuronspan import annotations
from neuronspan_operator.objects import pod_requests

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server

P = "neuronspan.dev/"
COUNT = ": write a whole number of NeuronCores from 1 to 128"
TOO_MANY = ", and no node has so many: write a whole number of NeuronCores from 1 to 128"
RUN = ', which is not one run of NeuronCores: write the first and the last core, for example "4-7", or one core'
GROUPS = ': write the cores of each group, for example "3,4,1", or "4x2" for four groups of two'
EITHER = ": a container has NeuronCores or whole Neuron devices, not both, so keep one of them"
DISAGREE = ", which disagree: keep one of them, or make them equal"
LASTING = ", which is no container or sidecar of the pod: use one of "
PLACE = (
    'spec.nodeName is "w1", but a pod that asks for NeuronCores gets its node together with its cores: '
    "remove spec.nodeName and write spec.nodeSelector kubernetes.io/hostname: w1 instead"
)

container = admission_kit.container
pod = admission_kit.pod


def annotated(name: str, value: str) -> dict[str, Any]:
    return pod({P + name: value})


def quoted(name: str, value: str, rest: str) -> str:
    return f'annotation {P}{name} is "{value}"{rest}'


def reuse(asking: str, count: int, init: str, held: int) -> str:
    return (
        f'container "{asking}" asks for {count} after init container "{init}" with {held}: it would be given a random '
        f'part of these, which need not be contiguous; ask for at least {held} in "{asking}", or for at most {count} '
        f'in "{init}"'
    )


NUMBERS = ["four", "0", "-1", "1.5", "", "04", " 4", "4 ", "+4", "0x4", "1e1", "٤"]
Cases = dict[str, tuple[dict[str, Any], str]]
VALUES: Cases = {
    **{f"cores {value!r}": (annotated("cores", value), quoted("cores", value, COUNT)) for value in NUMBERS},
    "cores 10000": (annotated("cores", "10000"), quoted("cores", "10000", TOO_MANY)),
    "cores 129": (annotated("cores", "129"), quoted("cores", "129", TOO_MANY)),
    "cores on two lines": (annotated("cores", "4\n4"), quoted("cores", "4 4", COUNT)),
    "cores endless": (annotated("cores", "9" * 999), quoted("cores", "9" * 60 + "...", COUNT)),
    "devices x": (
        annotated("devices", "x"),
        quoted("devices", "x", ": write a whole number of Neuron devices from 1 to 16"),
    ),
    "devices 17": (
        annotated("devices", "17"),
        quoted("devices", "17", ", and no node has so many: write a whole number of Neuron devices from 1 to 16"),
    ),
    "cores of a container": (
        pod({"cores.neuronspan.dev/app": "many"}),
        'annotation cores.neuronspan.dev/app is "many"' + COUNT,
    ),
    **{
        f"visible-cores {value!r}": (annotated("visible-cores", value), quoted("visible-cores", value, RUN))
        for value in ("3,5", "7-4", "a", "", "1-2-3", "-3", "4-", "04-07")
    },
    "visible-cores past every node": (
        annotated("visible-cores", "120-128"),
        quoted("visible-cores", "120-128", ", and no node has so many cores: the highest core is 127"),
    ),
    **{
        f"group-sizes {value!r}": (annotated("group-sizes", value), quoted("group-sizes", value, GROUPS))
        for value in ("3,,4", "0", "3,0", "3,x", "", "3,4,", "x2", "2x", "-1,3")
    },
    "group-sizes past every node": (
        annotated("group-sizes", "100,29"),
        quoted(
            "group-sizes",
            "100,29",
            ", together 129 NeuronCores, and no node has so many: make the sum at most 128",
        ),
    ),
    "env": (
        pod({P + "cores": "4", P + "env": "both"}),
        quoted(
            "env",
            "both",
            ': write "visible" (the container gets NEURON_RT_VISIBLE_CORES) or "count" (it gets NEURON_RT_NUM_CORES)',
        ),
    ),
    "align": (
        pod({P + "cores": "4", P + "align": "chip"}),
        quoted(
            "align",
            "chip",
            ': write "none" (cores anywhere) or "device" (cores that start on a device boundary) or "link" (cores that '
            "start there, on devices that are connected)",
        ),
    ),
    "pod-group": (
        pod({P + "cores": "4", P + "pod-group": "A B", P + "pod-group-size": "2"}),
        quoted("pod-group", "A B", ': write a name of at most 63 lower-case letters, digits, "-" and "."'),
    ),
    "pod-group-size": (
        pod({P + "cores": "4", P + "pod-group": "g", P + "pod-group-size": "0"}),
        quoted("pod-group-size", "0", ": write the number of pods in the group, from 1 to 9999"),
    ),
    "pod-group alone": (
        pod({P + "cores": "4", P + "pod-group": "g"}),
        "annotations neuronspan.dev/pod-group and neuronspan.dev/pod-group-size belong together: write both or neither",
    ),
    "limit past every node": (
        pod({}, container("app", cores=10000)),
        (
            'container "app" has the limit aws.amazon.com/neuroncore: 10000, and no node has so many: '
            "write a number from 1 to 128"
        ),
    ),
}
CONTRADICTIONS: Cases = {
    "more init containers than a grant can name": (
        pod({}, container("app", cores=1), init=[container(f"init-{number}", cores=1) for number in range(65)]),
        (
            "65 init containers ask for the same Neuron resource, and a grant names at most 64: do several steps in "
            "one container"
        ),
    ),
    "unknown container": (
        pod({"cores.neuronspan.dev/web": "2"}, container("app"), init=[container("setup")]),
        'annotation cores.neuronspan.dev/web names container "web", which the pod does not have: use one of setup, app',
    ),
    "unknown container with devices": (
        pod({"devices.neuronspan.dev/web": "2"}),
        'annotation devices.neuronspan.dev/web names container "web", which the pod does not have: use one of app',
    ),
    "annotation and limit": (
        pod({P + "cores": "4"}, container("app", cores=2)),
        'container "app" is asked for by neuronspan.dev/cores: 4 and by limit aws.amazon.com/neuroncore: 2' + DISAGREE,
    ),
    "two annotations": (
        pod({P + "cores": "4", "cores.neuronspan.dev/app": "3"}),
        'container "app" is asked for by cores.neuronspan.dev/app: 3 and by neuronspan.dev/cores: 4' + DISAGREE,
    ),
    "number and run": (
        pod({P + "cores": "3", P + "visible-cores": "4-7"}),
        'container "app" is asked for by neuronspan.dev/cores: 3 and by neuronspan.dev/visible-cores: 4-7' + DISAGREE,
    ),
    "number and groups": (
        pod({P + "cores": "7", P + "group-sizes": "3,4,1"}),
        'container "app" is asked for by neuronspan.dev/cores: 7 and by neuronspan.dev/group-sizes: 3,4,1' + DISAGREE,
    ),
    "cores and devices": (
        pod({P + "cores": "4", P + "devices": "2"}),
        'container "app" is asked for by neuronspan.dev/cores: 4 and by neuronspan.dev/devices: 2' + EITHER,
    ),
    "run and devices": (
        pod({P + "visible-cores": "4-7", P + "devices": "2"}),
        'container "app" is asked for by neuronspan.dev/devices: 2 and by neuronspan.dev/visible-cores: 4-7' + EITHER,
    ),
    "cores and devices as limits": (
        pod({}, container("app", cores=2, devices=1)),
        'container "app" is asked for by limit aws.amazon.com/neuroncore: 2 and by limit aws.amazon.com/neuron: 1'
        + EITHER,
    ),
    "cores and a limit of devices": (
        pod({P + "cores": "4"}, container("app", devices=1)),
        'container "app" is asked for by neuronspan.dev/cores: 4 and by limit aws.amazon.com/neuron: 1' + EITHER,
    ),
    "annotation and a limit of none": (
        pod({P + "cores": "4"}, container("app", cores=0)),
        'container "app" is asked for by neuronspan.dev/cores: 4 and by limit aws.amazon.com/neuroncore: 0' + DISAGREE,
    ),
    "cores and a limit of no devices": (
        pod({P + "cores": "4"}, container("app", devices=0)),
        'container "app" is asked for by neuronspan.dev/cores: 4 and by limit aws.amazon.com/neuron: 0' + EITHER,
    ),
    "container that is not there": (
        pod({P + "cores": "4", P + "container": "web"}, container("app"), container("b")),
        quoted("container", "web", LASTING + "app, b"),
    ),
    "container that ends": (
        pod(
            {P + "cores": "4", P + "container": "setup"},
            init=[container("setup"), container("proxy", sidecar=True)],
        ),
        quoted("container", "setup", LASTING + "proxy, app"),
    ),
    "app smaller than init": (
        pod({"cores.neuronspan.dev/setup": "4", P + "cores": "2"}, init=[container("setup")]),
        reuse("app", 2, "setup", 4),
    ),
    "second init smaller than first": (
        pod(
            {"cores.neuronspan.dev/a": "4", "cores.neuronspan.dev/b": "3", P + "cores": "4"},
            init=[container("a"), container("b")],
        ),
        reuse("b", 3, "a", 4),
    ),
    "sidecar smaller than init": (
        pod({}, container("app", cores=4), init=[container("a", cores=4), container("s", cores=1, sidecar=True)]),
        reuse("s", 1, "a", 4),
    ),
    "second container smaller than init": (
        pod({}, container("quiet"), container("app", cores=3), init=[container("a", cores=4)]),
        reuse("app", 3, "a", 4),
    ),
    "devices smaller than init": (
        pod({}, container("app", devices=1), init=[container("a", devices=2)]),
        reuse("app", 1, "a", 2),
    ),
    "node name": (pod({P + "cores": "4"}, nodeName="w1"), PLACE),
    "node name with limits": (pod({}, container("app", cores=4), nodeName="w1"), PLACE),
}
EVERY: Cases = {**VALUES, **CONTRADICTIONS}


@pytest.mark.parametrize(("manifest", "sentence"), EVERY.values(), ids=EVERY)
def test_bad_request_is_refused_with_its_sentence(
    admission: admission_kit.Admission, manifest: dict[str, Any], sentence: str
) -> None:
    before = admission.pod_names()
    assert admission_kit.refusal(admission.submit(manifest), http.HTTPStatus.UNPROCESSABLE_ENTITY) == sentence
    assert admission.pod_names() == before


def test_limit_of_the_only_container_is_checked_too(admission: admission_kit.Admission) -> None:
    """A pod like most others: what is wrong with it must not be taken for what is right with them."""
    answer = admission.submit(pod({}, container("app", cores=129)))
    words = admission_kit.refusal(answer, http.HTTPStatus.UNPROCESSABLE_ENTITY)
    assert f'container "app" has the limit {admission_kit.CORES}: 129, and no node has so many' in words


def test_all_mistakes_are_told_at_once(admission: admission_kit.Admission) -> None:
    answer = admission.submit(pod({P + "cores": "four", P + "env": "x", "cores.neuronspan.dev/web": "2"}))
    for sentence in (
        quoted("cores", "four", COUNT),
        quoted("env", "x", ': write "visible"'),
        'annotation cores.neuronspan.dev/web names container "web"',
    ):
        assert sentence in answer.message


CHOICES = [(each.name, choice.value) for each in annotations.OF_USERS for choice in each.choices]


@pytest.mark.parametrize(("name", "value"), CHOICES)
def test_choice_of_an_annotation_is_accepted_and_its_neighbour_refused(
    admission: admission_kit.Admission, name: str, value: str
) -> None:
    assert admission.submit(pod({P + "cores": "4", name: value})).status == http.HTTPStatus.CREATED
    refused = admission.submit(pod({P + "cores": "4", name: value + "s"}))
    assert refused.message.partition(" denied request: ")[2].startswith(f'annotation {name} is "{value}s": write "')


STRICTER = {"visible-cores '04-07'", "pod-group", "node name", "node name with limits"}
"""What admission refuses and the operator could live with, or sees by the pod being on a node already."""


@pytest.mark.parametrize("name", [name for name in EVERY if name not in STRICTER])
def test_operator_finds_the_same_requests_bad(name: str) -> None:
    """Where admission is switched off, the operator's own reading is all there is."""
    manifest, _ = EVERY[name]
    reading = pod_requests.read(manifest["metadata"]["annotations"], manifest["spec"])
    assert reading.problems != ()
