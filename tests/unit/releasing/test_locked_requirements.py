"""The locked lists say what pyproject.toml asks for, in the versions that are tested, whole and with hashes."""

import importlib.metadata
import pathlib
import re
from collections.abc import Iterable, Mapping

import pytest
from packaging import markers, requirements, utils

from cluster import layout
from cluster import requirements as declared
from releasing import wheels

PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(?: ; ([^\\]+?))? \\$", re.MULTILINE)
HERE = {"extra": ""} | {name: str(value) for name, value in markers.default_environment().items()}


def text_of(component: str) -> str:
    return wheels.locked(component).read_text(encoding="utf-8")


def wanted(component: str) -> tuple[str, ...]:
    pyproject = (layout.CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    return declared.of_build(pyproject) if component == wheels.BUILD else declared.of_extras(pyproject, [component])


def pins_here(text: str) -> dict[str, str]:
    """Return the pins that hold for this Python, by canonical name."""
    found = (match.groups() for match in PINNED.finditer(text))
    return {utils.canonicalize_name(name): pin for name, pin, only in found if not only or holds(only)}


def holds(marker: str) -> bool:
    return markers.Marker(marker).evaluate(HERE)


def unmet(asked: Iterable[str], pinned: Mapping[str, str]) -> list[str]:
    """Return the requirements that no pin meets."""
    each = [requirements.Requirement(text) for text in asked]
    return [
        str(one)
        for one in each
        if (not one.marker or one.marker.evaluate(HERE))
        and not one.specifier.contains(pinned.get(utils.canonicalize_name(one.name), "0"), prereleases=True)
    ]


def asked_by(name: str) -> list[str]:
    """Return what an installed package needs on this Python, without its extras."""
    every = map(requirements.Requirement, importlib.metadata.requires(name) or ())
    return [str(one) for one in every if not one.marker or one.marker.evaluate(HERE)]


@pytest.mark.parametrize("component", [*wheels.COMPONENTS, wheels.BUILD])
def test_everything_that_is_asked_for_is_pinned(component: str) -> None:
    assert unmet(wanted(component), pins_here(text_of(component))) == []


@pytest.mark.parametrize("component", wheels.COMPONENTS)
def test_everything_that_a_pinned_package_needs_is_pinned(component: str) -> None:
    pinned = pins_here(text_of(component))
    installed = {name for name in pinned if any(importlib.metadata.distributions(name=name))}
    assert len(installed) > len(pinned) / 2, "the tests' environment has these packages"
    assert {name: missing for name in installed if (missing := unmet(asked_by(name), pinned))} == {}


@pytest.mark.parametrize("component", wheels.COMPONENTS)
def test_pins_are_the_versions_that_are_tested(component: str) -> None:
    tested = dict(
        line.split("==")
        for line in (layout.CHECKOUT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    )
    by_name = {utils.canonicalize_name(name): version for name, version in tested.items()}
    pinned = {utils.canonicalize_name(name): version for name, version in wheels.pins(text_of(component))}
    assert pinned == {name: by_name.get(name, "not in constraints.txt") for name in pinned}


@pytest.mark.parametrize("component", [*wheels.COMPONENTS, wheels.BUILD])
def test_every_pin_has_a_hash(component: str) -> None:
    blocks = re.split(r"\n(?=[A-Za-z])", text_of(component))[1:]
    assert len(blocks) == len(wheels.pins(text_of(component)))
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_requirement_without_a_pin_or_with_another_version_is_found() -> None:
    assert unmet(["kopf>=1.45,<1.46", "aiohttp>=3.14"], {"kopf": "1.44.0"}) == ["kopf<1.46,>=1.45", "aiohttp>=3.14"]


def test_installed_wheels_keep_nothing_of_the_machine(tmp_path: pathlib.Path) -> None:
    record = tmp_path / "kopf-1.dist-info/RECORD"
    record.parent.mkdir()
    record.write_text("bin/kopf,sha256=ab,9\nkopf/bin/a.py,sha256=cd,1\n", encoding="utf-8")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/kopf").write_text("#!/somewhere/python\n", encoding="ascii")
    wheels._without_commands(tmp_path)
    assert record.read_text(encoding="utf-8") == "kopf/bin/a.py,sha256=cd,1\n"
    assert not (tmp_path / "bin").exists()
