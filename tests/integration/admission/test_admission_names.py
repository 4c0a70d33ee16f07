"""What nobody would read, or nobody would ever schedule, is refused with the right thing to write instead."""

import http
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.requests import bad_names

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server


@pytest.mark.parametrize(("manifest", "sentence"), bad_names.WORDS.values(), ids=bad_names.WORDS)
def test_pod_is_refused_with_its_sentence(
    admission: admission_kit.Admission, manifest: dict[str, Any], sentence: str
) -> None:
    before = admission.pod_names()
    said = admission_kit.refusal(admission.submit(manifest), http.HTTPStatus.UNPROCESSABLE_ENTITY)
    assert said == sentence or (sentence.endswith(", ") and said.startswith(sentence))
    assert admission.pod_names() == before
