"""YAML as kubectl reads it, and hostile YAML."""

import click
import pytest

from neuronspan_embedded.command import documents


def read(text: bytes) -> list[object]:
    return documents.read("pods.yaml", text)


def test_dates_and_keys_are_text_as_in_json() -> None:
    assert read(b"{day: 2026-01-01, 2: a, on: b}\n---\n# nothing\n---\n[1]") == [
        {"day": "2026-01-01", "2": "a", "true": "b"},
        [1],
    ]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + level)}: &{chr(98 + level)} [{', '.join(['*' + chr(97 + level)] * 9)}]\n" for level in range(8)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB.encode(), "more than 100000 values"),
        (b"&a [*a]", "nested more than 100 deep"),
        (b"[" * 1000, "nested too deeply"),
        (b"a: [1, 2", "cannot be read as YAML"),
        (b"\xff\xfe\x00", "cannot be read as YAML"),
        (b"!!python/object/apply:os.system [ls]", "could not determine a constructor"),
        (b"a: .inf", "no number that JSON has"),
        (b"a: !!set {b, c}", "a set, which JSON does not have"),
        (b"a: !!binary aGk=", "a bytes, which JSON does not have"),
        (b"x" * (documents.MOST_BYTES + 1), "are read at most"),
    ],
    ids=["bomb", "loop", "deep", "unfinished", "no text", "code", "infinite", "set", "binary", "large"],
)
def test_hostile_text_is_refused_with_the_name_of_the_file(text: bytes, words: str) -> None:
    with pytest.raises(click.ClickException, match=words) as refused:
        read(text)
    assert refused.value.message.startswith("pods.yaml")


def objects(*found: object) -> list[str]:
    return [each["metadata"]["name"] for each in documents.objects("pods.yaml", list(found))]


def test_lists_are_taken_apart_however_deep() -> None:
    pod = {"kind": "Pod", "metadata": {"name": "a"}}
    other = {"kind": "Pod", "metadata": {"name": "b"}}
    assert objects({"kind": "List", "items": [{"kind": "PodList", "items": [pod]}]}, other) == ["a", "b"]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (5, "a document without a kind"),
        ({"kind": 5}, "a document without a kind"),
        ({"kind": "List", "items": [5]}, "a document without a kind"),
        ({"kind": "Pod", "apiVersion": 1, "metadata": {}}, "a Pod whose apiVersion is no text"),
        ({"kind": "Pod"}, "a Pod without metadata"),
    ],
)
def test_document_that_is_no_object_is_refused(found: object, words: str) -> None:
    with pytest.raises(click.ClickException, match=words):
        objects(found)
