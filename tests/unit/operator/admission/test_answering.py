"""What is answered about a request that is good, bad or none of ours."""

from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.requests import answered, bad_names, bad_values, contradictions, good, words
from neuronspan import names
from neuronspan_operator.admission import answering
from neuronspan_operator.admission.settings import Settings

CORES = {names.CORES_ANNOTATION: "4"}
BAD: words.Cases = {**bad_values.VALUES, **contradictions.CONTRADICTIONS, **bad_names.WORDS}
GUESTS = Settings(guests=True)
CLAIMS = [{"name": "gpu", "resourceClaimName": "gpu"}]
TOO_LONG = "the pod's request for NeuronCores cannot be met as it is written"
container = admission_kit.container
pod = admission_kit.pod


@pytest.mark.parametrize(("manifest", "sentence"), BAD.values(), ids=BAD)
def test_bad_request_is_refused_with_its_sentence(manifest: dict[str, Any], sentence: str) -> None:
    said = answered.admitted(manifest).refusal
    assert said == sentence or (sentence.endswith(", ") and said.startswith(sentence))


@pytest.mark.parametrize(("manifest", "expected"), good.GOOD.values(), ids=good.GOOD)
def test_good_request_gets_the_common_form(manifest: dict[str, Any], expected: dict[str, dict[str, str]]) -> None:
    outcome = answered.admitted(manifest)
    assert outcome.refusal == ""
    spec, metadata = outcome.stored["spec"], outcome.stored["metadata"]
    containers = [*spec.get("initContainers", []), *spec["containers"]]
    assert {each["name"]: each.get("resources", {}).get("limits", {}) for each in containers} == expected
    assert spec["schedulerName"] == names.SCHEDULER
    assert "schedulingGates" not in spec
    assert metadata["labels"] == {names.MANAGED_LABEL: names.MANAGED_VALUE}


def test_request_that_is_done_needs_no_patch() -> None:
    done = answered.admitted(pod(CORES)).stored
    assert answering.mutate(answered.request(done), Settings()) == answering.Answer()


@pytest.mark.parametrize(
    "manifest",
    [pod(), pod({"example.com/cores": "x"}), pod({}, container("app", cores=0)), pod({}, schedulerName="volcano")],
    ids=["plain", "foreign annotation", "limit of none", "another scheduler"],
)
def test_pod_that_does_not_ask_is_left_alone(manifest: dict[str, Any]) -> None:
    assert answered.admitted(manifest) == answered.Outcome(manifest)


@pytest.mark.parametrize(
    "written", [{"schedulerName": "volcano"}, {"resourceClaims": CLAIMS}], ids=["scheduler", "claims"]
)
def test_guest_keeps_its_scheduler_and_waits_behind_our_gate(written: dict[str, Any]) -> None:
    outcome = answered.admitted(pod(CORES, **written), GUESTS)
    assert outcome.refusal == ""
    assert outcome.stored["spec"].get("schedulerName") == written.get("schedulerName")
    assert outcome.stored["spec"]["schedulingGates"] == [{"name": names.SCHEDULING_GATE}]


@pytest.mark.parametrize("before", [["other"], [names.SCHEDULING_GATE], ["a", names.SCHEDULING_GATE, "b"]])
def test_gate_is_there_once_whatever_gates_the_guest_has(before: list[str]) -> None:
    gated = pod(CORES, schedulerName="volcano", schedulingGates=[{"name": each} for each in before])
    found = [each["name"] for each in answered.admitted(gated, GUESTS).stored["spec"]["schedulingGates"]]
    assert found[: len(before)] == before
    assert sorted(found) == sorted({names.SCHEDULING_GATE, *before})


def test_our_scheduler_cannot_allocate_resource_claims() -> None:
    asked = pod(CORES, schedulerName=names.SCHEDULER, resourceClaims=CLAIMS)
    assert answered.admitted(asked, GUESTS).refusal == (
        'spec.schedulerName is "neuronspan", which cannot allocate the pod\'s resource claims: '
        "remove spec.schedulerName"
    )


def test_gate_of_a_pod_that_is_no_guest_is_refused_where_guests_are_let_in_too() -> None:
    gated = pod(CORES, schedulingGates=[{"name": names.SCHEDULING_GATE}])
    assert answered.admitted(gated, GUESTS).refusal.startswith("scheduling gate neuronspan.dev/cores is for pods that")


def test_mirror_of_a_static_pod_is_labelled_and_nothing_else() -> None:
    """It runs already: refusing it would only hide it, and it is too late to choose its node."""
    mirror = pod({"kubernetes.io/config.mirror": "x", **CORES, "neuronspan.dev/env": "?"}, nodeName="w1")
    outcome = answered.admitted(mirror)
    assert outcome.refusal == ""
    assert outcome.stored == {
        **mirror,
        "metadata": {**mirror["metadata"], "labels": {names.MANAGED_LABEL: names.MANAGED_VALUE}},
    }


@pytest.mark.parametrize("quantity", ["500m", "-1", "x", "1.5"])
def test_limit_that_is_no_whole_number_is_refused(quantity: str) -> None:
    """An API server refuses it itself, before it asks anybody; not so everybody else who reads a manifest."""
    limited = {**container("app"), "resources": {"limits": {admission_kit.CORES: quantity}}}
    assert answered.admitted(pod(CORES, limited)).refusal == (
        f'container "app" has the limit {admission_kit.CORES}: {quantity}, which is no whole number: '
        "write a number from 1 to 128"
    )


def test_limits_of_the_cluster_decide_what_is_too_much() -> None:
    small = Settings(most_cores=8, most_devices=2)
    refused = answered.admitted(pod({names.CORES_ANNOTATION: "9"}), small).refusal
    assert refused.endswith("and no node has so many: write a whole number of NeuronCores from 1 to 8")
    assert answered.admitted(pod({names.CORES_ANNOTATION: "8"}), small).refusal == ""
    refused = answered.admitted(pod({}, container("app", devices=3)), small).refusal
    assert refused.endswith("and no node has so many: write a number from 1 to 2")
    assert answered.admitted(pod({names.VISIBLE_CORES_ANNOTATION: "8"}), small).refusal.endswith("highest core is 7")


@pytest.mark.parametrize("operation", ["UPDATE", "DELETE", "CONNECT"])
def test_only_new_pods_are_looked_at(operation: str) -> None:
    asked = {**answered.request(pod({names.CORES_ANNOTATION: "x"})), "operation": operation}
    assert answering.mutate(asked, Settings()) == answering.Answer()
    assert answering.validate(asked, Settings()) == answering.Answer()


def test_subresources_and_other_kinds_are_not_looked_at() -> None:
    bad = pod({names.CORES_ANNOTATION: "x"})
    of_a_part = {**answered.request(bad), "subResource": "binding"}
    other_group = {**answered.request(bad), "kind": {"group": "example.com", "version": "v1", "kind": "Pod"}}
    for asked in (of_a_part, other_group, answered.request(bad, "ReplicaSet")):
        assert answering.mutate(asked, Settings()) == answering.Answer()
        assert answering.validate(asked, Settings()) == answering.Answer()


def test_sentences_that_nobody_would_read_to_the_end_become_one() -> None:
    """The API server says a policy's fixed message when the sentences have more than 5 KiB."""
    few, many = ({f"cores.neuronspan.dev/wrong-{number:02}": "1" for number in range(count)} for count in (40, 50))
    assert answered.admitted(pod(few)).refusal.count("which the pod does not have") == 40
    assert answered.admitted(pod(many)).refusal == TOO_LONG


def test_thousands_of_mistakes_in_thousands_of_containers_are_not_written_out() -> None:
    wrong = {f"cores.neuronspan.dev/wrong{number}": "1" for number in range(3000)}
    assert answered.admitted(pod(wrong, *(container(f"c{number}") for number in range(3000)))).refusal == TOO_LONG


def test_name_on_two_lines_is_not_repeated() -> None:
    """The API server says a policy's fixed message instead of several lines, before it refuses such a name itself."""
    assert answered.admitted(pod({"neuronspan.dev/a\nb": "1"})).refusal == TOO_LONG
