"""The chart's lists, as they are written, refuse exactly what the code refuses: one table, both sides asked."""

import contextlib
import functools
import json
import pathlib
import re
import types
from collections.abc import Callable, Collection, Iterable
from typing import Any

import pytest
import yaml

from kits.manifests import builders
from neuronspan import annotations, errors, grants, instance_types, names, placement, topologies
from neuronspan_deviceplugin.tree import faults
from neuronspan_operator.objects import pods

CHART = pathlib.Path(__file__).parents[3] / "charts" / "neuronspan"
Accepts = Callable[[str], object]


@functools.cache
def _schema(plural: str) -> Any:
    manifest = yaml.safe_load((CHART / "crds" / f"{plural}.yaml").read_text())
    return manifest["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]


@functools.cache
def _values(name: str) -> list[str]:
    words: list[str] = json.loads((CHART / "values.schema.json").read_text())["definitions"][name]["enum"]
    return words


@functools.cache
def _template(name: str) -> str:
    text = (CHART / "templates" / "_annotations.tpl").read_text()
    found = re.search(rf'define "neuronspan\.annotations\.{re.escape(name)}" -}}}}\n(.*?)\n{{{{- end', text, re.DOTALL)
    assert found, name
    return found[1]


def _member(of: Collection[str]) -> Accepts:
    def accepts(word: str) -> None:
        if word not in of:
            raise ValueError(word)

    return accepts


def _hardware(word: str) -> None:
    if word != instance_types.DETECT:
        instance_types.hardware_of(word)


POOL, NODE = _schema("neuronpools"), _schema("neuronnodes")
GRANT = NODE["grants"]["items"]["properties"]
LISTS: dict[str, tuple[list[str], Accepts]] = {
    "pool instance type": (POOL["hardware"]["properties"]["instanceType"]["enum"], _hardware),
    "pool packing": (POOL["policy"]["properties"]["packing"]["enum"], placement.Packing),
    "pool alignment": (POOL["policy"]["properties"]["alignment"]["enum"], placement.Alignment),
    "pool device counts": (POOL["policy"]["properties"]["deviceCounts"]["enum"], placement.DeviceCounts),
    "node topology": (NODE["hardware"]["properties"]["topology"]["enum"], topologies.Topology),
    "node core numbering": (NODE["coreNumbering"]["enum"], _member(names.CORE_NUMBERINGS)),
    "grant resource": (GRANT["resource"]["enum"], _member(names.RESOURCES)),
    "fault kind": (NODE["faults"]["items"]["properties"]["kind"]["enum"], faults.FaultKind),
    "grant state": (GRANT["state"]["enum"], grants.GrantState),
    "values instance type": (_values("instanceType"), _hardware),
    "values core numbering": (_values("coreNumbering"), _member(names.CORE_NUMBERINGS)),
    "values packing": (_values("packing"), placement.Packing),
    "values alignment": (_values("alignment"), placement.Alignment),
    "values device counts": (_values("deviceCounts"), placement.DeviceCounts),
}
OF_DOMAIN: list[Iterable[str]] = [
    *(instance_types.INSTANCE_TYPES, topologies.Topology, placement.Packing, placement.Alignment),
    placement.DeviceCounts,
    faults.FaultKind,
    *(names.CORE_NUMBERINGS, names.RESOURCES, grants.EnvMode, grants.GrantState),
]
KNOWN = sorted({word for words in [*OF_DOMAIN, *(listed for listed, _ in LISTS.values())] for word in words})
WORDS = [*KNOWN, *(word.upper() for word in KNOWN), *(f"{word} " for word in KNOWN), "", "all"]


def _takes(accepts: Accepts, word: str) -> bool:
    with contextlib.suppress(ValueError, errors.NeuronspanError):
        accepts(word)
        return True
    return False


@pytest.mark.parametrize(("listed", "accepts"), LISTS.values(), ids=LISTS)
def test_schema_refuses_what_the_domain_refuses(listed: list[str], accepts: Accepts) -> None:
    assert [word for word in WORDS if word in listed] == [word for word in WORDS if _takes(accepts, word)]


@pytest.mark.parametrize("name", instance_types.INSTANCE_TYPES)
def test_pool_refuses_the_logical_core_sizes_that_the_domain_refuses(name: str) -> None:
    hardware = POOL["hardware"]
    enums = (hardware["properties"]["logicalCoreSize"]["enum"], _values("logicalCoreSize"))
    for size in (*range(5), None):
        rule = hardware["x-kubernetes-validations"][0]["rule"]
        allowed = _cel(rule, self=types.SimpleNamespace(logicalCoreSize=size, instanceType=_Text(name))) and all(
            size is None or size in enum for enum in enums
        )
        assert allowed == _takes(functools.partial(instance_types.hardware_of, logical_core_size=size), name), size


ASKING = {names.CORES_ANNOTATION: "4"}
CHOOSING = [each for each in annotations.OF_USERS if each.choices]


@pytest.mark.parametrize("each", CHOOSING, ids=lambda each: each.name)
def test_admission_refuses_the_choices_that_the_operator_refuses(each: annotations.Annotation) -> None:
    words = [choice.value for choosing in CHOOSING for choice in choosing.choices]
    for word in (*words, *(word.upper() for word in words), "", "true"):
        refused = _cel(
            _template("isBadChoice"), k=each.name, variables=types.SimpleNamespace(annotations={each.name: word})
        )
        problems = pods.read(builders.make_pod(annotations={**ASKING, each.name: word})).problems
        assert refused == bool(problems), word


@pytest.mark.parametrize("each", CHOOSING, ids=lambda each: each.name)
def test_admission_says_every_choice_with_its_meaning(each: annotations.Annotation) -> None:
    said = _cel(_template("choices"), k=each.name)
    for choice in each.choices:
        assert f'"{choice.value}" ({choice.meaning})' in said


@pytest.mark.parametrize("each", annotations.OF_USERS, ids=lambda each: each.name)
def test_admission_knows_what_each_annotation_asks_for(each: annotations.Annotation) -> None:
    for key in each.keys:
        k = _Text(key)
        assert _cel(_template("isOurs"), k=k)
        assert _cel(_template("asks"), k=k) == bool(each.asks)
        assert (f"'{each.name}'" in _template("sayHow")) == (not each.asks)
        assert _cel(_template("asksForDevices"), k=k) == (each.asks == names.DEVICE_RESOURCE)


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        ("neuronspan.dev/core", True),
        ("core.neuronspan.dev/app", True),
        ("cores.neuronspan.dev", True),
        ("neuronspan.dev", True),
        ("myneuronspan.dev/cores", False),
        ("neuronspan.dev.example.com/cores", False),
        ("example.com/neuronspan.dev", False),
        ("example.com/x.neuronspan.dev", False),
    ],
)
def test_admission_knows_its_own_names_from_those_that_look_alike(key: str, *, ours: bool) -> None:
    assert _cel(_template("isOurs"), k=_Text(key)) == ours


@pytest.mark.parametrize(
    "each", [each for each in annotations.OF_USERS if each.per_container], ids=lambda each: each.name
)
def test_admission_reads_the_container_of_the_per_container_form(each: annotations.Annotation) -> None:
    expression = f"{_template('container')} : 'first'"
    assert _cel(expression, k=_Text(f"{each.per_container}web")) == "web"
    assert _cel(expression, k=_Text(each.name)) == "first"


class _Text(str):
    """A string with the methods that CEL has."""

    __slots__ = ()

    def startsWith(self, prefix: str) -> bool:  # noqa: N802  CEL's name
        return self.startswith(prefix)

    def matches(self, pattern: str) -> bool:
        return re.search(pattern, self) is not None

    def substring(self, first: int) -> str:
        return self[first:]


def _cel(expression: str, **variables: Any) -> Any:
    """Evaluate what is written here of CEL: it is Python but for operators and the choice `a ? b : c`."""
    choice = re.fullmatch(r"(.*?)\s+\?\s+(.*?)\s+:\s+(.*)", expression, re.DOTALL)
    if choice:
        condition, then, otherwise = choice.groups()
        return _cel(then if _cel(condition, **variables) else otherwise, **variables)
    text = " ".join(expression.split()).replace("||", " or ").replace("&&", " and ")
    known = {"has": lambda value: value is not None, **variables}
    return eval(re.sub(r"!(?=has|\()", "not ", text), known)  # noqa: S307  our own text, constants only
