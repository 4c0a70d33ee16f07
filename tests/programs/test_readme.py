"""README and the documentation list every program, and each says of itself what the lists say."""

import ast
import pathlib

import pytest

from kits.programs import corpus

CHECKOUT = pathlib.Path(__file__).parents[2]


def test_readme_has_the_table_of_all_programs() -> None:
    assert corpus.table() in (corpus.ROOT / "README.md").read_text(encoding="utf-8")


def test_documentation_has_the_table_of_what_came_of_each_program() -> None:
    assert corpus.results() in (CHECKOUT / "docs/reference/programs.md").read_text(encoding="utf-8")


def test_versions_of_the_table_are_those_that_are_installed() -> None:
    assert "\ntorch==2.13." in (CHECKOUT / "constraints.txt").read_text(encoding="utf-8")
    assert "python3-torch" in (CHECKOUT / "runtime/Dockerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("source", "foreign"),
    [
        ("import os, torch.nn\nfrom kits.programs import comparing\n", ()),
        ("import torch\ndef main():\n    from accelerate.utils import x\n    import zope\n", ("accelerate", "zope")),
    ],
)
def test_packages_that_the_image_has_not_are_found(source: str, foreign: tuple[str, ...]) -> None:
    assert corpus._foreign(ast.parse(source)) == foreign


def test_there_are_enough_programs_to_mean_something() -> None:
    found = corpus.programs()
    assert len({program.name for program in found}) == len(found) >= 40
    assert len({program.shows for program in found}) == len(found)
