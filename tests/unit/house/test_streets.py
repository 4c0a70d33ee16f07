"""The house keeps its streets: small folders that say their law, and no import against the order of the folders."""

import collections
import pathlib
from collections.abc import Iterator

import pytest

from house import packages

MOST_MODULES = 11  # in a folder: about what is taken in at a glance
MOST_TESTS = 20  # in a folder of tests/unit: a module often has more than one file of tests
TESTS = packages.ROOT / "tests"

every_package = pytest.mark.parametrize("name", packages.PACKAGES)
every_folder = pytest.mark.parametrize(
    "folder", sorted(folder for name in packages.PACKAGES for folder in packages.read(name).folders)
)


def sources(root: pathlib.Path) -> Iterator[pathlib.Path]:
    yield from (path for path in root.rglob("*.py") if path.name not in {"__init__.py", "conftest.py"})


def most_crowded(root: pathlib.Path) -> int:
    return max(collections.Counter(path.parent for path in sources(root)).values())


@every_folder
def test_folder_holds_few_modules(folder: str) -> None:
    package = packages.read(folder.split(".", maxsplit=1)[0])
    assert len(package.modules_of(folder)) <= MOST_MODULES


@every_folder
def test_folder_says_its_law(folder: str) -> None:
    text = packages.law(folder)
    assert "Law: " in text
    assert len(text.splitlines()) <= MOST_MODULES


@every_folder
def test_doors_that_a_folder_names_are_modules_of_it(folder: str) -> None:
    package = packages.read(folder.split(".", maxsplit=1)[0])
    assert packages.doors(folder) <= set(package.modules_of(folder))


@every_package
def test_import_goes_down_the_folders(name: str) -> None:
    assert packages.upward(packages.read(name)) == []


@every_package
def test_module_lies_in_the_folder_of_its_only_user_unless_it_is_a_door(name: str) -> None:
    assert list(packages.read(name).lonely()) == []


def test_test_folders_are_small() -> None:
    assert most_crowded(TESTS / "unit") <= MOST_TESTS
    assert most_crowded(TESTS / "kits") <= MOST_MODULES


def test_violations_are_found() -> None:
    package = packages.Package(
        "neuronspan_operator",
        frozenset({f"neuronspan_operator.{each}" for each in ("objects.pods", "cluster.kube", "errors")}),
        frozenset(),
        frozenset(
            {
                ("neuronspan_operator.objects.pods", "neuronspan_operator.cluster.kube"),
                ("neuronspan_operator.objects.pods", "neuronspan_operator.errors"),
            }
        ),
    )
    assert packages.upward(package) == [("neuronspan_operator.objects.pods", "neuronspan_operator.cluster.kube")]
    assert [module for module, _ in package.lonely()] == [
        "neuronspan_operator.cluster.kube",
        "neuronspan_operator.errors",
    ]
