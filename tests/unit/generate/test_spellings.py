"""Names of the domain that manifests, templates and pages spell by hand exist."""

import pathlib
import re

import pytest

from neuronspan import annotations, instance_types, names, placement

CHECKOUT = pathlib.Path(__file__).parents[3]
FILES = sorted(
    path
    for root in ("charts", "docs", "examples", "README.md")
    for path in ((CHECKOUT / root).rglob("*") if (CHECKOUT / root).is_dir() else [CHECKOUT / root])
    if path.suffix in {".md", ".yaml", ".tpl", ".txt", ".json"}
)
OURS = {
    *(each.name for each in annotations.OF_USERS),
    *annotations.OF_OPERATOR,
    names.API_VERSION,
    names.SCHEDULING_GATE,
    names.MANAGED_LABEL,
    names.LEDGER_LABEL,
    f"{names.GROUP}/instance-type",  # the label that the chart's own pools select nodes by
    names.CDI_COUNT_KIND,
    names.CDI_CORE_KIND,
    names.CDI_DEVICE_KIND,
}
PREFIXES = {each.per_container.partition(".")[0] for each in annotations.OF_USERS if each.per_container}
IDS = [str(path.relative_to(CHECKOUT)) for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_names_in_the_file_exist(path: pathlib.Path) -> None:
    text = path.read_text()
    assert set(re.findall(r"(?<![\w.-])neuronspan\.dev/[a-z][a-z0-9-]*", text)) <= OURS
    assert set(re.findall(r"(?<![\w.-])([a-z-]+)\.neuronspan\.dev/", text)) <= PREFIXES
    assert set(re.findall(r"aws\.amazon\.com/[a-z]+", text)) <= set(names.RESOURCES)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_instance_types_in_the_file_exist(path: pathlib.Path) -> None:
    assert set(re.findall(r"\b(?:inf|trn)\d\w*\.\d*xlarge\b", path.read_text())) <= set(instance_types.INSTANCE_TYPES)


@pytest.mark.parametrize("name", ["docs/concepts/placement.md", "charts/neuronspan/values.yaml"])
def test_page_explains_every_packing(name: str) -> None:
    text = (CHECKOUT / name).read_text()
    assert [each for each in placement.Packing if each not in text] == []
