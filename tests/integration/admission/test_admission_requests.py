"""Every bad request is refused at creation, in a sentence that names the thing, the value and the way out."""

import http
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.requests import bad_values, contradictions, words
from neuronspan import annotations
from neuronspan_operator.objects import pod_requests

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server

P = words.P
container = admission_kit.container
pod = admission_kit.pod
EVERY: words.Cases = {**bad_values.VALUES, **contradictions.CONTRADICTIONS}


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
        words.quoted("cores", "four", words.COUNT),
        words.quoted("env", "x", ': write "visible"'),
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
    assert admission_kit.words(refused).startswith(f'annotation {name} is "{value}s": write "')


STRICTER = {"visible-cores '04-07'", "pod-group", "node name", "node name with limits"}
"""What admission refuses and the operator could live with, or sees by the pod being on a node already."""


@pytest.mark.parametrize("name", [name for name in EVERY if name not in STRICTER])
def test_operator_finds_the_same_requests_bad(name: str) -> None:
    """Where admission is switched off, the operator's own reading is all there is."""
    manifest, _ = EVERY[name]
    reading = pod_requests.read(manifest["metadata"]["annotations"], manifest["spec"])
    assert reading.problems != ()
