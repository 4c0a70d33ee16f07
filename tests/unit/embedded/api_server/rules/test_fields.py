"""Types of fields are those of the kinds, and what a kind does not have is named to who asks for it."""

from typing import Any

import pytest

from neuronspan_embedded.api_server.rules import fields, kinds, refusals

KINDS = {kind.plural: kind for kind in kinds.BUILT_IN}


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "app", "image": "x"}], **spec}}


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (5, "it is a number, and has to be a map"),
        (pod(containers="x"), "spec.containers is text, and has to be a list"),
        (pod(containers=[None]), r"spec.containers\[0\] is null, and has to be left out"),
        (pod(hostNetwork="yes"), "spec.hostNetwork is text, and has to be true or false"),
        (pod(priority=True), "spec.priority is true or false, and has to be a whole number"),
        (pod(nodeSelector={"a": 5}), "spec.nodeSelector.a is a number, and has to be text"),
        (
            {"metadata": {"name": "x", "annotations": {"limits": 4}}},
            "annotations.limits is a number, and has to be text",
        ),
    ],
)
def test_field_of_a_wrong_type_is_refused_by_its_path(manifest: Any, words: str) -> None:
    with pytest.raises(refusals.Refusal, match=words) as refused:
        fields.refuse_wrong(KINDS["pods"], manifest, strict=False)
    assert refused.value.code == 400


def test_quantities_are_numbers_or_text() -> None:
    limits = {"limits": {"cpu": 1, "memory": "2Gi", "aws.amazon.com/neuroncore": 4}, "requests": {"cpu": 0.5}}
    manifest = pod(containers=[{"name": "app", "image": "x", "resources": limits}])
    fields.refuse_wrong(KINDS["pods"], manifest, strict=True)


def test_unknown_field_is_refused_when_that_is_asked_for_and_only_then() -> None:
    manifest = pod(containers=[{"name": "app", "image": "x", "comand": ["sh"]}])
    fields.refuse_wrong(KINDS["pods"], manifest, strict=False)
    with pytest.raises(refusals.Refusal, match=r'strict decoding error: unknown field "spec.containers\[0\].comand"'):
        fields.refuse_wrong(KINDS["pods"], manifest, strict=True)


def test_data_of_a_secret_is_base64() -> None:
    secret = {"metadata": {"name": "s"}, "data": {"key": "%%%"}}
    with pytest.raises(refusals.Refusal, match=r"data\.key is text, and has to be text in base64"):
        fields.refuse_wrong(KINDS["secrets"], secret, strict=False)


def test_custom_resources_are_left_to_their_schema_but_for_their_metadata() -> None:
    kind = kinds.Kind("example.com", "v1", "foos", "Foo", schema={})
    fields.refuse_wrong(kind, {"metadata": {"name": "x"}, "spec": [5]}, strict=True)
    with pytest.raises(refusals.Refusal, match=r"metadata\.labels is text"):
        fields.refuse_wrong(kind, {"metadata": {"name": "x", "labels": "a"}}, strict=True)


@pytest.mark.parametrize("kind", kinds.BUILT_IN, ids=lambda kind: kind.plural)
def test_every_built_in_kind_has_a_model(kind: kinds.Kind) -> None:
    with pytest.raises(refusals.Refusal, match="metadata is text"):
        fields.refuse_wrong(kind, {"metadata": "x"}, strict=False)
