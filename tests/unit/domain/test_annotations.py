import re

import pytest

from neuronspan import annotations, grants, names, placement

EACH = pytest.mark.parametrize("each", annotations.OF_USERS, ids=lambda each: each.name)


def test_every_annotation_of_ours_is_declared_once() -> None:
    named = {value for name, value in vars(names).items() if name.endswith("_ANNOTATION")}
    declared = [*(each.name for each in annotations.OF_USERS), *annotations.OF_OPERATOR]
    assert sorted(declared) == sorted(named)


def test_every_per_container_form_is_declared_once() -> None:
    named = [value for name, value in vars(names).items() if name.startswith("CONTAINER_") and name.endswith("_PREFIX")]
    assert [each.per_container for each in annotations.OF_USERS if each.per_container] == named


@EACH
def test_annotation_says_which_values_it_has(each: annotations.Annotation) -> None:
    assert bool(each.choices) != bool(each.pattern)
    assert each.default in {"", *(choice.value for choice in each.choices)}
    if each.pattern:
        assert re.fullmatch(each.pattern, each.example)


@EACH
def test_annotation_fits_into_a_cel_string(each: annotations.Annotation) -> None:
    texts = [each.name, each.pattern, *(text for choice in each.choices for text in (choice.value, choice.meaning))]
    assert not any(character in text for text in texts for character in "'\\\n")


@EACH
def test_annotation_asks_for_a_resource_or_says_how(each: annotations.Annotation) -> None:
    assert each.asks in {"", *names.RESOURCES}
    assert each.asks or not each.per_container


def test_keys_are_what_a_user_may_write() -> None:
    cores, *_, size = annotations.OF_USERS
    assert cores.keys == ("neuronspan.dev/cores", "cores.neuronspan.dev/<container>")
    assert size.keys == ("neuronspan.dev/pod-group-size",)


def test_choices_are_those_of_the_domain() -> None:
    choices = {each.name: [choice.value for choice in each.choices] for each in annotations.OF_USERS if each.choices}
    assert choices[names.ENV_ANNOTATION] == list(grants.EnvMode)
    assert choices[names.ALIGN_ANNOTATION] == list(placement.Alignment)
