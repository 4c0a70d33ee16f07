"""The entry points of the wheel, and the file that the images of the runtime have instead of an installer's."""

import configparser
import importlib
import tomllib

import pytest

from house import packages

PROJECT = tomllib.loads((packages.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENTRY_POINTS: dict[str, dict[str, str]] = PROJECT["entry-points"]


def test_images_have_the_entry_points_of_the_wheel() -> None:
    file = configparser.ConfigParser()
    file.read(packages.PACKAGES["neuronspan_runtime"] / "neuronspan_runtime" / "entry_points.txt", encoding="utf-8")
    assert {group: dict(file[group]) for group in file.sections()} == ENTRY_POINTS


@pytest.mark.parametrize("target", sorted(target for names in ENTRY_POINTS.values() for target in names.values()))
def test_entry_point_names_a_function(target: str) -> None:
    module, _, name = target.partition(":")
    assert callable(getattr(importlib.import_module(module), name))
