"""Finding and building the C++ library: no compiler runs here, a stand-in plays it."""

import os
import pathlib
import stat
import subprocess
import sys
import threading

import pytest

from neuronspan_runtime import environment, errors, extension

COMPILER = """#!/bin/sh
echo called >> "{log}"
cat > "{unit}"
while [ "$1" != -o ]; do shift; done
{action}
"""


@pytest.fixture
def build(tmp_path: pathlib.Path) -> extension.TorchBuild:
    """A torch that has headers."""
    (tmp_path / "torch" / "include").mkdir(parents=True)
    return extension.TorchBuild("2.6.0+test", True, "libtorch_cpu.so.2.6", "x86_64", tmp_path / "torch")


class Compiler:
    """A stand-in for g++: it writes down that it was called and does what it is told."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.log = directory / "calls"
        self.unit = directory / "unit.cpp"

    def does(self, action: str) -> None:
        path = self.directory / "g++"
        path.write_text(COMPILER.format(log=self.log, unit=self.unit, action=action), encoding="utf-8")
        path.chmod(stat.S_IRWXU)

    @property
    def calls(self) -> int:
        return len(self.log.read_text(encoding="utf-8").splitlines()) if self.log.exists() else 0


@pytest.fixture
def compiler(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    """The only compiler on PATH; it succeeds."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:/bin:/usr/bin")
    made = Compiler(directory)
    made.does('echo library > "$2"')
    return made


@pytest.mark.parametrize(
    "changed",
    [
        {"version": "2.6.0+other"},
        {"cxx11_abi": False},
        {"soname": "libtorch_cpu.so"},
        {"machine": "aarch64"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_extension_key_tells_torch_builds_apart(build: extension.TorchBuild, changed: dict[str, object]) -> None:
    fields = {name: getattr(build, name) for name in ("version", "cxx11_abi", "soname", "machine", "directory")}
    other = extension.TorchBuild(**(fields | changed))
    assert extension.key(other) != extension.key(build)
    assert extension.key(build).startswith("torch-2.6.0+test-")


def test_extension_key_follows_the_sources_only(build: extension.TorchBuild, tmp_path: pathlib.Path) -> None:
    sources = tmp_path / "csrc"
    sources.mkdir()
    seen = set()
    for name, content in (("a.cpp", "1"), ("a.cpp", "2"), ("b.h", "1"), ("c.h", "1")):
        (sources / name).write_text(content, encoding="utf-8")
        seen.add(extension.key(build, sources))
    assert len(seen) == 4
    (sources / "README.md").write_text("more", encoding="utf-8")
    assert extension.key(build, sources) in seen


def test_extension_is_built_once_from_all_sources(
    build: extension.TorchBuild, compiler: Compiler, tmp_path: pathlib.Path
) -> None:
    directory = tmp_path / "cache" / "key"
    first = extension.built_once(build, directory)
    assert first == extension.built_once(build, directory)
    assert first.read_text(encoding="utf-8") == "library\n"
    assert compiler.calls == 1
    unit = compiler.unit.read_text(encoding="utf-8").split()
    assert [f'"{path.name}"' for path in sorted(extension.SOURCES.glob("*.cpp"))] == unit[1::2]
    assert list(directory.iterdir()) == [first]


def test_extension_is_built_once_when_two_ask_at_once(
    build: extension.TorchBuild, compiler: Compiler, tmp_path: pathlib.Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    compiler.does(f'read line < "{gate}"; echo library > "$2"')
    found: list[pathlib.Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(extension.built_once(build, tmp_path / "key"))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    gate.write_text("go\n", encoding="utf-8")
    for thread in threads:
        thread.join()
    assert (len(set(found)), compiler.calls) == (1, 1)


def test_extension_failed_build_shows_why_and_leaves_nothing(
    build: extension.TorchBuild, compiler: Compiler, tmp_path: pathlib.Path
) -> None:
    compiler.does('echo half > "$2"; echo "arena.cpp:1: error: no" >&2; exit 1')
    with pytest.raises(
        errors.LibraryUnavailable, match=r"could not build .* torch 2\.6\.0\+test:\narena\.cpp:1: error: no"
    ):
        extension.built_once(build, tmp_path / "key")
    assert list((tmp_path / "key").iterdir()) == []


def test_extension_without_a_compiler_says_what_to_install(
    build: extension.TorchBuild, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.LibraryUnavailable, match=r"no C\+\+ compiler is on PATH .* apt-get install g\+\+"):
        extension.built_once(build, tmp_path / "key")


def test_extension_without_headers_says_what_to_install(compiler: Compiler, tmp_path: pathlib.Path) -> None:
    bare = extension.TorchBuild("2.6.0+debian", True, "libtorch_cpu.so.2.6", "x86_64", tmp_path)
    with pytest.raises(errors.LibraryUnavailable, match=r"no C\+\+ headers .* apt-get install libtorch-dev"):
        extension.built_once(bare, tmp_path / "key")
    assert compiler.calls == 0


def test_extension_cache_that_cannot_be_written_names_the_settings(
    build: extension.TorchBuild, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        errors.LibraryUnavailable, match=f"{environment.CACHE_ENV} to a writable .*{environment.LIBRARY_ENV}"
    ):
        extension.built_once(build, tmp_path / "file" / "key")


def test_extension_without_a_home_names_the_setting(
    compiler: Compiler, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> pathlib.Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv(environment.LIBRARY_ENV, raising=False)
    monkeypatch.setattr(environment, "cache_directory", nowhere)
    monkeypatch.setattr(extension, "PREBUILT", tmp_path)
    with pytest.raises(errors.LibraryUnavailable, match=rf"home directory\. Set {environment.CACHE_ENV}"):
        extension.library()
    assert compiler.calls == 0


def test_extension_prefers_the_named_then_the_prebuilt_then_the_cached_library(
    compiler: Compiler, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = extension.key(extension.installed_torch())
    monkeypatch.delenv(environment.LIBRARY_ENV, raising=False)
    monkeypatch.setenv(environment.CACHE_ENV, str(tmp_path / "cache"))
    monkeypatch.setattr(extension, "PREBUILT", tmp_path / "lib")
    assert extension.library() == tmp_path / "cache" / name / extension.LIBRARY
    prebuilt = tmp_path / "lib" / name / extension.LIBRARY
    prebuilt.parent.mkdir(parents=True)
    prebuilt.touch()
    assert extension.library() == prebuilt
    monkeypatch.setenv(environment.LIBRARY_ENV, str(prebuilt.with_name("mine.so")))
    with pytest.raises(errors.LibraryUnavailable, match=r"NEURONSPAN_RUNTIME_LIBRARY=.*mine\.so does not exist"):
        extension.library()
    prebuilt.with_name("mine.so").touch()
    assert extension.library() == prebuilt.with_name("mine.so")
    assert compiler.calls == 1


def test_extension_command_line_builds_and_tells_where(compiler: Compiler, tmp_path: pathlib.Path) -> None:
    environ = {"PATH": f"{compiler.directory}:/bin:/usr/bin", "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-m", "neuronspan_runtime", "build", "--output", str(tmp_path / "out")]
    result = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert pathlib.Path(result.stdout.strip()).parent.parent == tmp_path / "out"
    assert pathlib.Path(result.stdout.strip()).read_text(encoding="utf-8") == "library\n"
