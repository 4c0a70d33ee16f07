from collections.abc import Mapping

import pytest

from kits.manifests import builders
from neuronspan import grants, instance_types, names, placement
from neuronspan_operator.objects import container_requests, pods

CORES, DEVICES = names.CORES_ANNOTATION, names.DEVICES_ANNOTATION
MOST, MOST_DEVICES = instance_types.MOST_CORES, instance_types.MOST_DEVICES


def _read(annotations: Mapping[str, str], **shape: object) -> pods.PodView:
    return pods.read(builders.make_pod(annotations=annotations, **shape))  # type: ignore[arg-type]  # builder arguments


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param({"annotations": {CORES: "4"}}, id="annotation"),
        pytest.param({"annotations": {f"{names.CONTAINER_CORES_PREFIX}app": "4"}}, id="annotation of the container"),
        pytest.param({"cores": 4}, id="limits"),
        pytest.param({"annotations": {CORES: "4"}, "cores": 4}, id="annotation and limits, as admission leaves them"),
    ],
)
def test_every_form_ends_in_the_same_request(pod: dict[str, object]) -> None:
    view = pods.read(builders.make_pod(**pod))  # type: ignore[arg-type]  # builder arguments
    assert view.requests == (container_requests.ContainerRequest("app", 4),)
    assert view.problems == ()


def test_devices_become_aligned_cores_of_the_node_they_land_on() -> None:
    (request,) = _read({DEVICES: "2"}).requests
    inferentia, trainium = instance_types.hardware_of("inf1.6xlarge"), instance_types.hardware_of("trn1.32xlarge")
    assert request.devices == 2
    assert request.on(inferentia, placement.Rules()) == placement.Request(8, placement.Alignment.DEVICE)
    assert request.on(trainium, placement.Rules()) == placement.Request(4, placement.Alignment.DEVICE)


def test_devices_are_connected_where_pod_or_pool_want_that() -> None:
    hardware = instance_types.hardware_of("trn1.32xlarge")
    linking = placement.Rules(placement.Alignment.LINK)
    asked = {DEVICES: "2", names.ALIGN_ANNOTATION: "link"}
    assert _read(asked).requests[0].on(hardware, placement.Rules()).align is placement.Alignment.LINK
    assert _read({DEVICES: "2"}).requests[0].on(hardware, linking).align is placement.Alignment.LINK
    waived = {DEVICES: "2", names.ALIGN_ANNOTATION: "none"}
    assert _read(waived).requests[0].on(hardware, linking).align is placement.Alignment.DEVICE


@pytest.mark.parametrize(
    ("instance_type", "left"),
    [("trn1.32xlarge", "aws"), ("trn2.48xlarge", "aws"), ("inf2.48xlarge", "any"), ("trn3.48xlarge", "any")],
)
def test_numbers_of_devices_are_restricted_on_a_torus_only(instance_type: str, left: str) -> None:
    (request,) = _read({CORES: "4"}).requests
    rules = placement.Rules(device_counts=placement.DeviceCounts.AWS)
    assert request.on(instance_types.hardware_of(instance_type), rules).device_counts == left


def test_per_container_annotations_reach_init_containers_and_sidecars() -> None:
    prefix = names.CONTAINER_CORES_PREFIX
    notes = {f"{prefix}warm-up": "2", f"{prefix}proxy": "3", f"{prefix}second": "1"}
    view = _read(
        notes,
        init_containers=[builders.container("warm-up"), builders.container("proxy", sidecar=True)],
        containers=[builders.container("first"), builders.container("second")],
    )
    found = {each.container: (each.count, each.init_containers) for each in view.requests}
    assert found == {"proxy": (3, ("warm-up",)), "second": (1, ())}
    assert view.unlimited == ("proxy", "second", "warm-up")


def test_options_belong_to_the_first_container() -> None:
    notes = {
        names.VISIBLE_CORES_ANNOTATION: "4-11",
        names.GROUP_SIZES_ANNOTATION: "3,4,1",
        names.ENV_ANNOTATION: "count",
    }
    view = _read(notes, containers=[builders.container("app"), builders.container("other", cores=2)])
    app, other = view.requests
    assert (app.count, app.first, app.group_sizes, app.env) == (8, 4, "3,4,1", grants.EnvMode.COUNT)
    assert (other.count, other.first, other.group_sizes, other.env) == (2, None, "", grants.EnvMode.COUNT)
    assert view.problems == ()


@pytest.mark.parametrize(
    "notes",
    [
        {CORES: "4"},
        {DEVICES: "2"},
        {names.VISIBLE_CORES_ANNOTATION: "4-7"},
        {names.GROUP_SIZES_ANNOTATION: "3,1"},
    ],
    ids=["cores", "devices", "visible cores", "group sizes"],
)
@pytest.mark.parametrize("sidecar", [False, True], ids=["second container", "sidecar"])
def test_named_container_is_the_one_that_is_meant(notes: dict[str, str], *, sidecar: bool) -> None:
    meant = builders.container("meant", sidecar=sidecar)
    shape = {"init_containers": [meant]} if sidecar else {}
    containers = [builders.container("proxy"), *([] if sidecar else [meant])]
    view = _read({**notes, names.CONTAINER_ANNOTATION: "meant"}, containers=containers, **shape)
    (request,) = view.requests
    assert request.container == "meant"
    assert request.first == (4 if names.VISIBLE_CORES_ANNOTATION in notes else None)
    assert request.group_sizes == notes.get(names.GROUP_SIZES_ANNOTATION, "")
    assert view.problems == ()


@pytest.mark.parametrize("named", ["web", "setup", ""], ids=["unknown", "init container", "empty"])
def test_named_container_has_to_stay_for_the_life_of_the_pod(named: str) -> None:
    view = _read(
        {CORES: "4", names.CONTAINER_ANNOTATION: named},
        init_containers=[builders.container("setup"), builders.container("proxy", sidecar=True)],
    )
    (problem,) = view.problems
    assert problem == (
        f'annotation neuronspan.dev/container is "{named}", which is no container or sidecar of the pod: '
        "use one of proxy, app"
    )


def test_thousands_of_wrong_annotations_do_not_name_thousands_of_containers_each() -> None:
    wrong = {f"{names.CONTAINER_CORES_PREFIX}wrong{number}": "1" for number in range(4000)}
    view = _read(wrong, containers=[builders.container(f"c{number}") for number in range(5000)])
    assert view.problems[0].endswith("use one of " + ", ".join(f"c{each}" for each in range(20)) + " and 4980 more")
    assert view.problems[20:] == ("and 3980 more of the kind",)


def _of_none(name: str, resource: str) -> dict[str, object]:
    return {**builders.container(name), "resources": {"limits": {resource: "0"}, "requests": {resource: "0"}}}


def test_limit_of_none_asks_for_nothing() -> None:
    view = _read({CORES: "4"}, containers=[builders.container("app", cores=4), _of_none("b", names.CORE_RESOURCE)])
    assert [each.container for each in view.requests] == ["app"]
    assert (view.problems, view.unlimited) == ((), ())


def test_limit_of_none_contradicts_an_annotation_of_the_same_container() -> None:
    of_cores = _read({CORES: "4"}, containers=[_of_none("app", names.CORE_RESOURCE)])
    assert of_cores.problems == (_asked(FOUR, "limit aws.amazon.com/neuroncore for 0 NeuronCores"),)
    of_devices = _read({CORES: "4"}, containers=[_of_none("app", names.DEVICE_RESOURCE)])
    assert of_devices.problems == (_asked(FOUR, "limit aws.amazon.com/neuron for 0 Neuron devices", either=True),)


def test_alignment_of_the_pod_beats_that_of_the_pool() -> None:
    hardware = instance_types.hardware_of("trn1.32xlarge")
    aligned, free, silent = (
        _read(notes).requests[0].on(hardware, placement.Rules(placement.Alignment.DEVICE)).align
        for notes in (
            {CORES: "3", names.ALIGN_ANNOTATION: "device"},
            {CORES: "3", names.ALIGN_ANNOTATION: "none"},
            {CORES: "3"},
        )
    )
    assert (aligned, free, silent) == ("device", "none", "device")


@pytest.mark.parametrize(
    "value", ["four", "0", "-1", "1.5", "10000", "", " 4", "+4", "04", "4 ", "4e0", "٤", "1_0", f"{MOST + 1}"]
)
def test_bad_number_of_cores_is_named_with_the_way_out(value: str) -> None:
    view = _read({CORES: value})
    assert view.requests == ()
    sentence = f'annotation {CORES} is "{value}": write the number of NeuronCores, from "1" to "{MOST}"'
    assert view.problems == (f"{sentence}, which is what the largest instance type has",)


@pytest.mark.parametrize("value", ["two", "0", f"{MOST_DEVICES + 1}"])
def test_bad_number_of_devices_is_named_with_the_way_out(value: str) -> None:
    view = _read({f"{names.CONTAINER_DEVICES_PREFIX}app": value})
    assert view.requests == ()
    sentence = (
        f'annotation devices.neuronspan.dev/app is "{value}": write the number of Neuron devices, from "1" to '
        f'"{MOST_DEVICES}"'
    )
    assert view.problems == (f"{sentence}, which is what the largest instance type has",)


def _asked(*sources: str, either: bool = False) -> str:
    way_out = (
        "one container has cores or whole devices, not both, so keep one of them"
        if either
        else "keep one of them, or make them equal"
    )
    return f"container app: {sources[0]} and {sources[1]}: {way_out}"


def _one_run(value: str) -> str:
    return (
        f'annotation {names.VISIBLE_CORES_ANNOTATION} is "{value}": write one run of consecutive cores between 0 and '
        f'{MOST - 1}, like "4-7"'
    )


def _groups(value: str) -> str:
    return (
        f'annotation {names.GROUP_SIZES_ANNOTATION} is "{value}": write the NeuronCores of each group, together at '
        f'most {MOST}, like "3,4,1"'
    )


def _group_size(value: str) -> str:
    return (
        f'annotation {names.POD_GROUP_SIZE_ANNOTATION} is "{value}": write the number of pods in the group, '
        'at least "1"'
    )


FOUR = f"annotation {CORES} asks for 4 NeuronCores"


@pytest.mark.parametrize(
    ("annotations", "limits", "sentence"),
    [
        pytest.param(
            {f"{names.CONTAINER_CORES_PREFIX}ap": "4"},
            {},
            "annotation cores.neuronspan.dev/ap names container 'ap', which the pod does not have: use one of app",
            id="unknown container",
        ),
        pytest.param(
            {CORES: "4"},
            {"cores": 2},
            _asked(FOUR, "limit aws.amazon.com/neuroncore for 2 NeuronCores"),
            id="disagree",
        ),
        pytest.param(
            {CORES: "4"},
            {"devices": 2},
            _asked(FOUR, "limit aws.amazon.com/neuron for 2 Neuron devices", either=True),
            id="cores and devices",
        ),
        pytest.param(
            {CORES: "4", DEVICES: "2"},
            {},
            _asked(FOUR, f"annotation {DEVICES} for 2 Neuron devices", either=True),
            id="both annotations",
        ),
        pytest.param(
            {},
            {"cores": 4, "devices": 2},
            _asked(
                "limit aws.amazon.com/neuroncore asks for 4 NeuronCores",
                "limit aws.amazon.com/neuron for 2 Neuron devices",
                either=True,
            ),
            id="both limits",
        ),
        pytest.param(
            {CORES: "4", f"{names.CONTAINER_CORES_PREFIX}app": "2"},
            {},
            _asked(
                "annotation cores.neuronspan.dev/app asks for 2 NeuronCores", f"annotation {CORES} for 4 NeuronCores"
            ),
            id="two forms",
        ),
        *(
            pytest.param({names.VISIBLE_CORES_ANNOTATION: value}, {}, _one_run(value), id=name)
            for name, value in (
                ("gap", "3,5"),
                ("backwards", "7-4"),
                ("no visible cores", ""),
                ("beyond the largest", f"126-{MOST}"),
            )
        ),
        pytest.param(
            {names.VISIBLE_CORES_ANNOTATION: "4-7"},
            {"cores": 2},
            _asked(
                f"annotation {names.VISIBLE_CORES_ANNOTATION} asks for 4 NeuronCores",
                "limit aws.amazon.com/neuroncore for 2 NeuronCores",
            ),
            id="visible and limits",
        ),
        pytest.param({names.GROUP_SIZES_ANNOTATION: "3,x"}, {}, _groups("3,x"), id="group sizes"),
        pytest.param(
            {names.GROUP_SIZES_ANNOTATION: f"{MOST},1"}, {}, _groups(f"{MOST},1"), id="groups beyond the largest"
        ),
        pytest.param(
            {CORES: "4", names.ENV_ANNOTATION: "all"},
            {},
            'annotation neuronspan.dev/env is "all": write visible or count',
            id="env",
        ),
        pytest.param(
            {CORES: "4", names.ALIGN_ANNOTATION: "ring"},
            {},
            'annotation neuronspan.dev/align is "ring": write none or device or link',
            id="align",
        ),
        pytest.param({CORES: "4", names.POD_GROUP_ANNOTATION: "g"}, {}, _group_size(""), id="group, no size"),
        pytest.param(
            {CORES: "4", names.POD_GROUP_SIZE_ANNOTATION: "2"},
            {},
            (
                "annotation neuronspan.dev/pod-group-size comes without a group: "
                "name the group in neuronspan.dev/pod-group"
            ),
            id="size, no group",
        ),
        pytest.param(
            {CORES: "4", names.POD_GROUP_ANNOTATION: "g", names.POD_GROUP_SIZE_ANNOTATION: "0"},
            {},
            _group_size("0"),
            id="size 0",
        ),
        pytest.param(
            {},
            {"cores": 1000},
            (
                f"limit aws.amazon.com/neuroncore of container app is 1000: ask for at most {MOST}, "
                "which is what the largest instance type has"
            ),
            id="limit too large",
        ),
    ],
)
def test_what_cannot_be_meant_is_said(annotations: dict[str, str], limits: dict[str, int], sentence: str) -> None:
    assert _read(annotations, **limits).problems == (sentence,)


def test_all_problems_are_reported_at_once() -> None:
    notes = {CORES: "four", f"{names.CONTAINER_CORES_PREFIX}ap": "1", names.ENV_ANNOTATION: "all"}
    assert len(_read(notes).problems) == 3


def test_pod_that_asks_for_nothing_has_no_request_and_no_problem() -> None:
    view = _read({"example.com/cores": "x", "scheduler.example.com/neuronspan.dev": "1"})
    assert (view.requests, view.problems, view.unlimited) == ((), (), ())


def test_annotation_without_limit_is_marked_as_not_admitted() -> None:
    assert _read({CORES: "4"}).unlimited == ("app",)
    assert _read({CORES: "4"}, cores=4).unlimited == ()


def test_pod_group_is_read() -> None:
    notes = {CORES: "4", names.POD_GROUP_ANNOTATION: "training", names.POD_GROUP_SIZE_ANNOTATION: "4"}
    view = _read(notes)
    assert (view.pod_group, view.pod_group_size) == ("training", 4)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (container_requests.ContainerRequest("app", 1), "1 NeuronCore for container app"),
        (container_requests.ContainerRequest("app", 4), "4 NeuronCores for container app"),
        (container_requests.ContainerRequest("app", 2, names.DEVICE_RESOURCE), "2 Neuron devices for container app"),
        (container_requests.ContainerRequest("app", 4, first=4), "cores 4-7 for container app"),
    ],
)
def test_request_reads_as_people_say_it(request_: container_requests.ContainerRequest, text: str) -> None:
    assert str(request_) == text
