"""The operator can read every value that admission lets through: the declared form is the narrower one."""

import re
from collections.abc import Mapping

import hypothesis
import pytest
from hypothesis import strategies

from kits.manifests import builders
from neuronspan import annotations, instance_types, names
from neuronspan_operator.objects import pods

COMPANIONS = {
    names.POD_GROUP_ANNOTATION: {names.CORES_ANNOTATION: "4", names.POD_GROUP_SIZE_ANNOTATION: "2"},
    names.POD_GROUP_SIZE_ANNOTATION: {names.CORES_ANNOTATION: "4", names.POD_GROUP_ANNOTATION: "g"},
}
"""What must stand beside an annotation that means nothing alone."""
FORMS = [each for each in annotations.OF_USERS if each.pattern]
MOST = {
    names.CORE_RESOURCE: instance_types.MOST_CORES,
    names.DEVICE_RESOURCE: instance_types.MOST_DEVICES,
}


def _read(asked: Mapping[str, str]) -> pods.PodView:
    return pods.read(builders.make_pod(annotations=dict(asked)))


def _fits(each: annotations.Annotation, text: str) -> bool:
    """Whether the pod has what the text names, and a node could hold it: what admission looks at besides."""
    if each.name == names.CONTAINER_ANNOTATION:
        return text == "app"
    if each.name == names.VISIBLE_CORES_ANNOTATION:
        first, _, last = text.partition("-")
        return int(first) <= int(last or first) < MOST[each.asks]
    if each.name == names.GROUP_SIZES_ANNOTATION:
        groups = (group.rpartition("x") for group in text.split(","))
        return sum(int(repeat or 1) * int(size) for repeat, _, size in groups) <= MOST[each.asks]
    return not each.asks or int(text) <= MOST[each.asks]


@pytest.mark.parametrize("each", FORMS, ids=lambda each: each.name)
@hypothesis.given(data=strategies.data())
@hypothesis.settings(deadline=None, max_examples=150)
def test_operator_reads_every_value_of_the_declared_form(
    each: annotations.Annotation, data: strategies.DataObject
) -> None:
    likely = strategies.from_regex(
        re.sub(r"\{\d,\d+\}", "{0,2}", each.pattern), fullmatch=True, alphabet="abx-.,0123456789"
    )
    text = data.draw(likely | strategies.from_regex(each.pattern, fullmatch=True))
    problems = _read({**COMPANIONS.get(each.name, {}), each.name: text}).problems
    assert bool(problems) != _fits(each, text)


@pytest.mark.parametrize("each", [each for each in FORMS if each.asks], ids=lambda each: each.name)
@hypothesis.given(text=strategies.text(alphabet="0123456789-,x ", max_size=6))
@hypothesis.settings(deadline=None, max_examples=300)
def test_form_allows_what_the_operator_reads_up_to_zeros_blanks_and_lists(
    each: annotations.Annotation, text: str
) -> None:
    if _read({each.name: text}).problems:
        return
    plain = re.sub(r"(?<!\d)0+(?=\d)", "", text.replace(" ", ""))
    if each.name == names.VISIBLE_CORES_ANNOTATION and "," in plain:
        return
    assert re.fullmatch(each.pattern, plain)
