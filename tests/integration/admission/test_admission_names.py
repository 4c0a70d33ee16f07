"""What nobody would read, or nobody would ever schedule, is refused with the right thing to write instead."""

import http
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.requests import bad_names

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server


@pytest.mark.parametrize(("manifest", "sentence"), bad_names.WORDS.values(), ids=bad_names.WORDS)
def test_pod_is_refused_with_its_sentence(
    admission: admission_kit.Admission, manifest: dict[str, Any], sentence: str, request: pytest.FixtureRequest
) -> None:
    if "resourceClaims" in manifest["spec"]:
        request.getfixturevalue("needs_claims")
    before = admission.pod_names()
    said = admission_kit.refusal(admission.submit(manifest), http.HTTPStatus.UNPROCESSABLE_ENTITY)
    assert said == sentence or (sentence.endswith(", ") and said.startswith(sentence))
    assert admission.pod_names() == before


@pytest.mark.parametrize("containers", [None, []], ids=["none", "empty"])
@pytest.mark.parametrize("annotations", [{}, {"neuronspan.dev/cores": "4"}], ids=["foreign", "asking"])
def test_pod_without_containers_is_refused_by_the_api_server_alone(
    admission: admission_kit.Admission, annotations: dict[str, str], containers: list[Any] | None
) -> None:
    manifest = admission_kit.pod(annotations)
    answer = admission.submit({**manifest, "spec": {"containers": containers}})
    assert answer.status == http.HTTPStatus.UNPROCESSABLE_ENTITY
    assert answer.message.endswith("is invalid: spec.containers: Required value")
