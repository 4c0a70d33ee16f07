"""What the API server itself refuses to store: the rules of NeuronNode."""

import http
import subprocess
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from kits.api_server import admission as admission_kit
from kits.api_server import api_client
from kits.api_server import control_plane as control_plane_kit
from neuronspan import errors, grants, instance_types, ledger, names, spans
from neuronspan_deviceplugin.allocation import holdings
from neuronspan_deviceplugin.neuron_node import conditions, status_writer
from neuronspan_operator.objects import neuron_nodes, nodes

pytestmark = pytest.mark.integration

NODES = admission_kit.NEURON_NODES
STRICT = "?fieldValidation=Strict"
DRY = "?dryRun=All"
NAMES = (
    "apart",
    "asked",
    "bad",
    "bare",
    "changing",
    "dropping",
    "faulty",
    "good",
    "granted",
    "large",
    "moving",
    "raced",
    "reporting",
    "shown",
    "swapping",
    "whole",
)
OVERLAP = "two grants share a core"
UNORDERED = "grants stand in the order of their first cores"
OUTSIDE = "a grant reaches past the node's last core"
BOUNDARY = "a grant of whole Neuron devices must start and end on a device boundary"
DROPPED = "a Confirmed grant cannot be dropped: make it Releasing and wait until the node reports the pod as released"
HARDWARE_STAYS = "the hardware of a node cannot change while containers have its cores: drain the node first"
TWICE = "two grants belong to the same container of the same pod"
SIZE_STAYS = "the size of a grant never changes: release the grant and make a new one"


def grant(number: int, first: int, count: int, **changes: Any) -> dict[str, Any]:
    return {
        "podUID": f"00000000-0000-0000-0000-{number:012}",
        "namespace": "default",
        "pod": f"p{number}",
        "container": "app",
        "first": first,
        "count": count,
        "resource": names.CORE_RESOURCE,
        "state": "Granted",
        **changes,
    }


@pytest.fixture
def admin(control_plane: control_plane_kit.ControlPlane) -> Iterator[api_client.Client]:
    """A client that leaves no NeuronNode behind."""
    client = control_plane.client()
    yield client
    for name in NAMES:
        client.delete(f"{NODES}/{name}")


def refusal(answer: api_client.Response) -> str:
    assert answer.status == http.HTTPStatus.UNPROCESSABLE_ENTITY, answer.body
    return answer.message


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ([grant(1, 0, 4), grant(2, 0, 4)], OVERLAP),
        ([grant(1, 0, 4), grant(2, 3, 1)], OVERLAP),
        ([grant(1, 4, 4), grant(2, 2, 3)], OVERLAP),
        ([grant(1, 0, 32), grant(2, 31, 1)], OVERLAP),
        ([grant(1, 0, 1), grant(2, 8, 4), grant(3, 4, 2), grant(4, 5, 2)], OVERLAP),
        ([grant(1, 5, 1, state="Releasing"), grant(2, 4, 2)], OVERLAP),
        ([grant(1, 4, 4), grant(2, 0, 4)], UNORDERED),
        ([grant(1, 31, 2)], OUTSIDE),
        ([grant(1, 32, 1)], OUTSIDE),
        ([grant(1, 1, 2, resource=names.DEVICE_RESOURCE)], BOUNDARY),
        ([grant(1, 0, 3, resource=names.DEVICE_RESOURCE)], BOUNDARY),
        ([grant(1, 0, 1), grant(1, 4, 1)], TWICE),
        ([grant(1, 0, 0)], "should be greater than or equal to 1"),
        ([grant(1, -1, 1)], "should be greater than or equal to 0"),
        ([grant(1, 0, 1, state="Lost")], 'supported values: "Granted", "Confirmed", "Releasing"'),
        ([grant(1, 0, 1, resource="nvidia.com/gpu")], 'supported values: "aws.amazon.com/neuroncore"'),
        ([grant(1, 0, 1, podUID="")], "should be at least 1 chars long"),
    ],
    ids=[
        "the same cores",
        "inside another",
        "the end of another",
        "all and the last",
        "among disjoint ones",
        "of a pod that is being released",
        "not in order",
        "past the end",
        "behind the end",
        "device that starts inside a device",
        "half a device",
        "two grants of one container",
        "no core",
        "before core 0",
        "unknown state",
        "unknown resource",
        "no pod",
    ],
)
def test_bad_ledger_is_not_stored(admin: api_client.Client, stored: list[dict[str, Any]], words: str) -> None:
    assert words in refusal(admin.request("POST", NODES, admission_kit.neuron_node("bad", *stored)))
    assert admin.request("GET", f"{NODES}/bad").status == http.HTTPStatus.NOT_FOUND


def test_number_of_cores_must_fit_the_hardware(admin: api_client.Client) -> None:
    answer = admin.request("POST", NODES, admission_kit.neuron_node("bad", cores=31))
    assert "cores must be devices times coresPerDevice" in refusal(answer)


@pytest.mark.parametrize(
    "stored",
    [
        [],
        [grant(1, 0, 32)],
        [grant(1, 0, 4), grant(2, 4, 4), grant(3, 8, 1)],
        [grant(1, 0, 4, resource=names.DEVICE_RESOURCE), grant(2, 5, 1)],
        [grant(1, 0, 1), grant(1, 1, 1, container="other")],
    ],
    ids=["empty", "full", "adjacent", "devices and a core", "two containers"],
)
def test_good_ledger_is_stored(admin: api_client.Client, stored: list[dict[str, Any]]) -> None:
    created = admin.create(f"{NODES}{STRICT}", admission_kit.neuron_node("good", *stored))
    assert [(each["first"], each["count"]) for each in created["spec"]["grants"]] == [
        (each["first"], each["count"]) for each in stored
    ]


RUNS = strategies.lists(strategies.tuples(strategies.integers(0, 31), strategies.integers(1, 8)), max_size=7)


@hypothesis.settings(max_examples=150, deadline=None, derandomize=True)
@hypothesis.given(runs=RUNS)
def test_api_server_and_domain_agree_on_every_ledger(
    control_plane: control_plane_kit.ControlPlane, runs: list[tuple[int, int]]
) -> None:
    entries = [grant(number, *run, env="visible", since="2026-01-31T09:00:00Z") for number, run in enumerate(runs)]
    stored = sorted(entries, key=lambda each: (each["first"], each["count"]))
    try:
        ledger.Ledger.from_list(32, stored)
    except errors.LedgerError:
        expected = http.HTTPStatus.UNPROCESSABLE_ENTITY
    else:
        expected = http.HTTPStatus.CREATED
    answer = control_plane.request("POST", f"{NODES}{DRY}", admission_kit.neuron_node("random", *stored))
    assert answer.status == expected, answer.message


def test_ledger_of_256_grants_can_be_written_and_changed(admin: api_client.Client) -> None:
    """The largest ledger must stay within the API server's cost limits, in all its rules."""
    hardware = {**admission_kit.neuron_node("x")["spec"]["hardware"], "devices": 128}
    stored = [grant(number, number, 1, pod="p" * 253, container="c" * 63) for number in range(256)]
    large = admission_kit.neuron_node("large", *stored, hardware=hardware, cores=256)
    created = admin.create(f"{NODES}{STRICT}", large)
    for state in ("Confirmed", "Releasing"):
        for each in created["spec"]["grants"]:
            each["state"] = state
        created = admin.replace(f"{NODES}/large", created)
    assert len(created["spec"]["grants"]) == 256
    created["spec"]["grants"][7]["first"] = 6
    assert OVERLAP in refusal(admin.request("PUT", f"{NODES}/large", created))


@pytest.mark.parametrize("before", list(grants.GrantState))
@pytest.mark.parametrize("after", list(grants.GrantState))
def test_grant_moves_along_the_domains_table(
    admin: api_client.Client, before: grants.GrantState, after: grants.GrantState
) -> None:
    admin.create(NODES, admission_kit.neuron_node("moving", grant(1, 0, 4, state=str(before))))
    changed = {"spec": {"grants": [grant(1, 0, 4, state=str(after))]}}
    answer = admin.request("PATCH", f"{NODES}/moving", changed, api_client.MERGE_PATCH)
    if after in {before, *grants.TRANSITIONS[before]}:
        assert answer.expect()["spec"]["grants"][0]["state"] == after
    else:
        words = refusal(answer)
        assert f"never back: it was {before} and cannot become " in words
        assert str(after) in words.rpartition("cannot become ")[2]


@pytest.mark.parametrize(
    ("before", "kept"),
    [("Granted", []), ("Releasing", []), ("Confirmed", None)],
    ids=["granted", "releasing", "confirmed"],
)
def test_only_a_confirmed_grant_cannot_be_dropped(
    admin: api_client.Client, before: str, kept: list[dict[str, Any]] | None
) -> None:
    admin.create(NODES, admission_kit.neuron_node("dropping", grant(1, 0, 4, state=before)))
    answer = admin.request("PATCH", f"{NODES}/dropping", {"spec": {"grants": []}}, api_client.MERGE_PATCH)
    if kept is None:
        assert DROPPED in refusal(answer)
    else:
        assert answer.expect()["spec"]["grants"] == kept


def test_confirmed_grant_cannot_be_dropped_together_with_the_list(admin: api_client.Client) -> None:
    admin.create(NODES, admission_kit.neuron_node("dropping", grant(1, 0, 4, state="Confirmed")))
    answer = admin.request("PATCH", f"{NODES}/dropping", {"spec": {"grants": None}}, api_client.MERGE_PATCH)
    assert DROPPED in refusal(answer)


def test_grant_keeps_its_size_and_may_be_swapped(admin: api_client.Client) -> None:
    admin.create(NODES, admission_kit.neuron_node("swapping", grant(1, 0, 4), grant(2, 4, 4)))
    for changed in (grant(1, 0, 3), grant(1, 8, 5)):
        other = {"spec": {"grants": [changed, grant(2, 4, 4)]}}
        answer = admin.request("PATCH", f"{NODES}/swapping", other, api_client.MERGE_PATCH)
        assert SIZE_STAYS in refusal(answer)
    swapped = admin.patch(f"{NODES}/swapping", {"spec": {"grants": [grant(2, 0, 4), grant(1, 4, 4)]}})
    assert [each["pod"] for each in swapped["spec"]["grants"]] == ["p2", "p1"]


def test_hardware_changes_only_without_grants(admin: api_client.Client) -> None:
    admin.create(NODES, admission_kit.neuron_node("changing", grant(1, 0, 4)))
    changed = {"spec": {"hardware": {"instanceType": "inf2.48xlarge"}}}
    answer = admin.request("PATCH", f"{NODES}/changing", changed, api_client.MERGE_PATCH)
    assert HARDWARE_STAYS in refusal(answer)
    admin.patch(f"{NODES}/changing", {"spec": {"grants": []}})
    assert admin.patch(f"{NODES}/changing", changed)["spec"]["hardware"]["instanceType"] == "inf2.48xlarge"


def test_second_writer_of_the_same_version_loses(admin: api_client.Client) -> None:
    version = admin.create(NODES, admission_kit.neuron_node("raced"))["metadata"]["resourceVersion"]
    for number, status in ((1, http.HTTPStatus.OK), (2, http.HTTPStatus.CONFLICT)):
        patch = {"metadata": {"resourceVersion": version}, "spec": {"grants": [grant(number, number, 1)]}}
        assert admin.request("PATCH", f"{NODES}/raced", patch, api_client.MERGE_PATCH).status == status
    assert [each["pod"] for each in admin.get(f"{NODES}/raced")["spec"]["grants"]] == ["p1"]


def test_status_and_ledger_are_written_apart(admin: api_client.Client) -> None:
    admin.create(NODES, {**admission_kit.neuron_node("apart"), "status": {"epoch": "1"}})
    both = {"spec": {"grants": [grant(1, 0, 1)]}, "status": {"epoch": "2"}}
    written = admin.patch(f"{NODES}/apart/status", both)
    assert written["status"] == {"epoch": "2"}
    assert written["spec"]["grants"] == []
    written = admin.patch(f"{NODES}/apart", {"spec": {"grants": [grant(1, 0, 1)]}, "status": {"epoch": "3"}})
    assert written["status"] == {"epoch": "2"}


def test_plugin_writes_only_fields_the_schema_knows(admin: api_client.Client) -> None:
    """Strict validation: an unknown field would be dropped in silence otherwise."""
    hardware = instance_types.hardware_of("trn1.32xlarge")
    holding = holdings.Holding(names.CORE_RESOURCE, spans.CoreSpan(0, 4), 1.0, "u", "n", "p", "c")
    releasing = grants.Grant.from_dict(grant(1, 4, 4, env="visible", state="Releasing", since="2026-01-31T09:00:00Z"))
    facts = status_writer.Facts(
        epoch="e",
        hardware=hardware,
        unhealthy={3: "scripted"},
        holdings=holdings.Holdings((holding,)),
        book=ledger.Ledger(32, (releasing,)),
        alive={"u": True, releasing.pod_uid: False},
        conditions=conditions.of_node((), None, None),
        detected=hardware,
        user_namespaces=True,
    )
    status = status_writer.document(facts, {}, "2026-01-31T09:00:00Z")
    assert all(status.values())
    admin.create(NODES, admission_kit.neuron_node("reporting"))
    assert admin.patch(f"{NODES}/reporting/status{STRICT}", {"status": status})["status"] == status


def test_faults_of_a_node_are_stored_and_stay_inside_it(admin: api_client.Client) -> None:
    faults = [{"first": 31, "count": 1, "kind": "sram_ecc_uncorrected"}]
    created = admin.create(f"{NODES}{STRICT}", admission_kit.neuron_node("faulty", faults=faults))
    assert created["spec"]["faults"] == faults
    past = {"spec": {"faults": [{"first": 31, "count": 2}]}}
    answer = admin.request("PATCH", f"{NODES}/faulty", past, api_client.MERGE_PATCH)
    assert "a fault reaches past the node's last core" in refusal(answer)


def _asking(name: str, **changes: Any) -> dict[str, Any]:
    """Return the NeuronNode of a node that is asked what it has."""
    node = nodes.NodeView(name=name, labels={names.INSTANCE_TYPE_LABEL: "trn1.32xlarge"})
    made = neuron_nodes.manifest_to_detect(node)
    return {**made, "spec": {**made["spec"], **changes}}


def test_node_that_is_asked_what_it_has_gets_its_hardware_later(admin: api_client.Client) -> None:
    created = admin.create(f"{NODES}{STRICT}", _asking("asked"))
    assert created["spec"]["detect"] == {"instanceType": "trn1.32xlarge"}
    view = neuron_nodes.read(created)
    assert (view.detects, view.blank, view.hardware) == (True, True, None)
    hardware = instance_types.hardware_of("trn1.32xlarge")
    patch = {"spec": neuron_nodes.profile_spec(hardware)}
    stored = neuron_nodes.read(admin.patch(f"{NODES}/asked{STRICT}", patch))
    assert (stored.detects, stored.blank, stored.hardware) == (True, False, hardware)
    assert stored.ledger == ledger.Ledger(32)
    again = {"spec": neuron_nodes.detection_spec(nodes.NodeView(name="asked"))}
    assert neuron_nodes.read(admin.patch(f"{NODES}/asked{STRICT}", again)).blank


WITHOUT_HARDWARE = {
    "neither hardware nor a question": ({"detect": None}, "only a node that is asked what it has goes without"),
    "cores alone": ({"cores": 32}, "hardware and cores are there together"),
    "grants": ({"grants": [grant(1, 0, 4)]}, "without hardware there are no cores to grant"),
}


@pytest.mark.parametrize(("changes", "words"), WITHOUT_HARDWARE.values(), ids=WITHOUT_HARDWARE)
def test_node_without_hardware_is_refused_with(admin: api_client.Client, changes: dict[str, Any], words: str) -> None:
    manifest = _asking("bare", **changes)
    manifest["spec"] = {key: value for key, value in manifest["spec"].items() if value is not None}
    assert words in refusal(admin.request("POST", f"{NODES}{STRICT}", manifest))


def test_hardware_that_is_granted_is_not_forgotten(admin: api_client.Client) -> None:
    granted = admission_kit.neuron_node("granted", grant(1, 0, 4))
    admin.create(NODES, granted)
    again = {"spec": neuron_nodes.detection_spec(nodes.NodeView(name="granted"))}
    answer = admin.request("PATCH", f"{NODES}/granted", again, api_client.MERGE_PATCH)
    assert "without hardware there are no cores to grant" in refusal(answer)
    assert HARDWARE_STAYS in refusal(answer)


def test_operator_writes_only_fields_the_schema_knows(admin: api_client.Client) -> None:
    """Strict validation: an unknown field would be dropped in silence otherwise."""
    node = nodes.NodeView(name="whole")
    made = neuron_nodes.manifest(node, instance_types.hardware_of("trn2.48xlarge"))
    view = neuron_nodes.read(admin.create(f"{NODES}{STRICT}", made))
    granted = ledger.Ledger(64).add(
        grants.Grant(
            pod_uid="u",
            namespace="n",
            pod="p",
            container="c",
            span=spans.CoreSpan(4, 4),
            resource=names.CORE_RESOURCE,
            env=grants.EnvMode.COUNT,
            state=grants.GrantState.GRANTED,
            since="2026-01-31T09:00:00Z",
            group_sizes="3,1",
            init_containers=("i",),
        )
    )
    stored = neuron_nodes.read(admin.patch(f"{NODES}/whole{STRICT}", neuron_nodes.spec_patch(view, granted)))
    assert stored.ledger == granted
    assert stored.problem == ""


def test_columns_say_what_a_node_has(admin: api_client.Client, control_plane: control_plane_kit.ControlPlane) -> None:
    summary = {"granted": 4, "free": 28, "largestFreeRun": 20}
    admin.create(NODES, admission_kit.neuron_node("shown", **summary))
    conditions = [{"type": "Registered", "status": "True"}]
    admin.patch(f"{NODES}/shown/status", {"status": {"conditions": conditions}})
    kubectl = [control_plane_kit.find_tool("kubectl"), "--kubeconfig", control_plane.kubeconfig]
    run = subprocess.run([*kubectl, "get", "nn"], capture_output=True, text=True, check=True)
    header, row = run.stdout.splitlines()
    assert header.split() == [
        "NAME",
        "INSTANCE",
        "TYPE",
        "CORES",
        "GRANTED",
        "FREE",
        "LARGEST",
        "RUN",
        "REGISTERED",
        "AGE",
    ]
    assert row.split()[:7] == ["shown", "trn1.32xlarge", "32", "4", "28", "20", "True"]
