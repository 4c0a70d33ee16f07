"""The wheel with compiled libraries: where it is installed and there is no compiler, the device is there at once."""

import os
import pathlib
import re
import subprocess
import sys
import sysconfig
import venv

import pytest

from native import libraries
from neuronspan_runtime.library import compilation, extension, torch_builds
from releasing import platform_wheel, wheels

CREATED = 1_700_000_000
KEY = torch_builds.key(torch_builds.in_wheels(torch_builds.installed_torch()))
PROGRAM = """
import torch
from neuronspan_runtime.library import extension
print(torch.ones(2, device="neuron").sum().item(), extension.library())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A wheel with the library of one torch, the installed one."""
    return platform_wheel.build(tmp_path_factory.mktemp("wheel"), CREATED, {KEY: extension.library()})


@pytest.fixture(scope="module")
def python(wheel: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The interpreter of a new environment that has the wheel, and torch from ours: 5 GB need not be installed anew."""
    directory = tmp_path_factory.mktemp("environment")
    venv.create(directory, symlinks=True)
    interpreter = directory / "bin/python"
    command = [wheels.uv(), "pip", "install", "--quiet", "--offline", "--no-deps", "--python", str(interpreter)]
    subprocess.run([*command, str(wheel)], check=True)
    version = ".".join(map(str, sys.version_info[:2]))
    beside = directory / f"lib/python{version}/site-packages/torch-of-the-tests.pth"
    beside.write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return interpreter


def run(python: pathlib.Path, directory: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """Run the program with an empty home and no program on PATH."""
    for name in ("home", "programs", "state"):
        (directory / name).mkdir()
    variables = {"HOME": "home", "PATH": "programs", "NEURONSPAN_STATE_DIR": "state"}
    environ = {name: str(directory / value) for name, value in variables.items()}
    command = [str(python), "-c", PROGRAM]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, cwd=directory)


def test_wheel_is_for_any_python_on_systems_with_the_c_library_that_it_needs(wheel: pathlib.Path) -> None:
    build = torch_builds.installed_torch()
    tag = rf"neuronspan-[0-9.]+-py3-none-manylinux_2_[0-9]+_{build.machine}\.whl"
    assert re.fullmatch(tag, wheel.name)


def test_wheel_works_without_a_compiler_and_writes_no_library(python: pathlib.Path, tmp_path: pathlib.Path) -> None:
    result = run(python, tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    total, library = result.stdout.split()
    assert (float(total), pathlib.Path(library).parent.name) == (2.0, KEY)
    assert pathlib.Path(library).is_relative_to(python.parents[1])
    assert list((tmp_path / "home").iterdir()) == []


def test_wheel_for_another_torch_says_what_to_install(python: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (libraries_of_it,) = python.parents[1].glob("lib/*/site-packages/neuronspan_runtime/lib")
    other = libraries_of_it / "torch-2.5.1-0123456789ab"
    (libraries_of_it / KEY).rename(other)
    try:
        result = run(python, tmp_path)
    finally:
        other.rename(libraries_of_it / KEY)
    assert result.returncode == 1
    told = result.stderr.splitlines()[0]
    assert told.startswith("torch has no device neuron: no library for torch ")
    assert "install g++ (Debian: apt-get install g++)" in told
    assert "libraries are prebuilt for torch 2.5.1" in told


def test_wheel_of_the_same_libraries_has_the_same_bytes(
    wheel: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("PYTHONHASHSEED", "2")
    before = os.umask(0o077)
    try:
        again = platform_wheel.build(tmp_path, CREATED, {KEY: extension.library()})
    finally:
        os.umask(before)
    assert (again.name, again.read_bytes()) == (wheel.name, wheel.read_bytes())


def test_a_library_that_is_linked_with_stand_ins_needs_torch_by_name(tmp_path: pathlib.Path) -> None:
    build = torch_builds.installed_torch()
    command = compilation.compiler(build)
    libraries.stand_ins(tmp_path / "lib", command)
    there = torch_builds.TorchBuild(build.version, build.cxx11_abi, build.soname, build.machine, tmp_path)
    arguments = ("-shared", "-fPIC", "-x", "c++", "-", "-o", str(tmp_path / "made.so"))
    unit = "void c10_has_it(); void ours() { c10_has_it(); }"
    link = compilation.link_arguments(there)
    subprocess.run([*command, *arguments, *link], input=unit, text=True, check=True)
    dynamic = subprocess.run(
        ["readelf", "--dynamic", str(tmp_path / "made.so")], check=True, capture_output=True, text=True
    ).stdout
    assert set(libraries.SONAMES) <= set(re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic))
