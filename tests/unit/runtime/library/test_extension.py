"""Finding and building the C++ library: no compiler runs here, a stand-in plays it; see test_extension_processes."""

import dataclasses
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest

from native import stand_in_compiler
from neuronspan_runtime import __main__ as command_line
from neuronspan_runtime import environment, errors
from neuronspan_runtime.library import compilation, extension, library_cache, torch_builds


@pytest.fixture
def build(tmp_path: pathlib.Path) -> torch_builds.TorchBuild:
    """A torch that has headers."""
    return stand_in_compiler.torch_build(tmp_path)


@pytest.fixture
def compiler(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> stand_in_compiler.Compiler:
    """The first compiler on PATH; it succeeds."""
    made = stand_in_compiler.Compiler(tmp_path / "bin")
    monkeypatch.setenv("PATH", made.path)
    monkeypatch.delenv("CXX", raising=False)
    return made


@pytest.mark.parametrize(
    "changed",
    [
        {"version": "2.6.0+other"},
        {"cxx11_abi": False},
        {"soname": "libtorch_cpu.so"},
        {"machine": "aarch64"},
        {"libc": "glibc 2.36"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_extension_key_tells_torch_builds_apart(build: torch_builds.TorchBuild, changed: dict[str, object]) -> None:
    fields = {name: getattr(build, name) for name in ("version", "cxx11_abi", "soname", "machine", "libc", "directory")}
    other = torch_builds.TorchBuild(**(fields | changed))
    assert torch_builds.key(other) != torch_builds.key(build)
    assert torch_builds.key(build).startswith("torch-2.6.0+test-")


def test_extension_key_tells_sanitized_libraries_apart(build: torch_builds.TorchBuild) -> None:
    assert torch_builds.key(build, flags=(*torch_builds.FLAGS, "-fsanitize=address")) != torch_builds.key(build)


def test_extension_key_follows_the_sources_only(build: torch_builds.TorchBuild, tmp_path: pathlib.Path) -> None:
    sources = tmp_path / "csrc"
    (sources / "device").mkdir(parents=True)
    seen = []
    for name, content in (("a.cpp", "1"), ("a.cpp", "2"), ("b.h", "1"), ("c.h", "1"), ("device/d.cpp", "1")):
        (sources / name).write_text(content, encoding="utf-8")
        seen.append(torch_builds.key(build, sources))
    assert len(set(seen)) == 5
    (sources / "device" / "README.md").write_text("more", encoding="utf-8")
    assert torch_builds.key(build, sources) == seen[-1]


def test_extension_key_follows_a_source_into_another_folder(
    build: torch_builds.TorchBuild, tmp_path: pathlib.Path
) -> None:
    keys = set()
    for folder in ("hbm", "device"):
        source = tmp_path / folder / "csrc" / folder / "a.h"
        source.parent.mkdir(parents=True)
        source.touch()
        keys.add(torch_builds.key(build, source.parents[1]))
    assert len(keys) == 2


def test_extension_unit_includes_sources_by_their_folders(tmp_path: pathlib.Path) -> None:
    (tmp_path / "device").mkdir()
    for name in ("b.cpp", "device/a.cpp", "device/a.h"):
        (tmp_path / name).write_text("", encoding="utf-8")
    assert compilation.unit(tmp_path) == '#include "b.cpp"\n#include "device/a.cpp"\n'


def test_extension_is_built_once_from_all_sources(
    build: torch_builds.TorchBuild, compiler: stand_in_compiler.Compiler, tmp_path: pathlib.Path
) -> None:
    directory = tmp_path / "cache" / "key"
    first = extension.built_once(build, directory)
    assert first == extension.built_once(build, directory)
    assert first.read_text(encoding="utf-8") == "library\n"
    assert compiler.calls == 1
    named = [line.removeprefix("#include ").strip('"') for line in compiler.unit.splitlines()]
    assert sorted(torch_builds.SOURCES / name for name in named) == sorted(torch_builds.SOURCES.rglob("*.cpp"))
    assert {"bindings.cpp", "hbm/hbm.cpp", "model/model.cpp"} < set(named)
    assert list(directory.iterdir()) == [first]


def test_extension_failed_build_shows_why_and_leaves_the_log_alone(
    build: torch_builds.TorchBuild, compiler: stand_in_compiler.Compiler, tmp_path: pathlib.Path
) -> None:
    compiler.does('echo half > "$2"; echo "hbm/arena.cpp:1: error: no" >&2; exit 1')
    with pytest.raises(
        errors.LibraryUnavailable, match=r"could not build .* torch 2\.6\.0\+test:\nhbm/arena\.cpp:1: error: no\nAll of"
    ):
        extension.built_once(build, tmp_path / "key")
    assert [path.name for path in (tmp_path / "key").iterdir()] == [library_cache.FAILURE]


FAILS = 'seq 1 100 | sed "s/^/error /" >&2; exit 1'


def refused(build: torch_builds.TorchBuild, directory: pathlib.Path, *, again: bool = False) -> str:
    """Have a build fail; return the error's text."""
    with pytest.raises(errors.LibraryUnavailable) as caught:
        extension.built_once(build, directory, again=again)
    return str(caught.value)


def test_extension_remembers_a_failed_build_and_names_its_log(
    build: torch_builds.TorchBuild, compiler: stand_in_compiler.Compiler, tmp_path: pathlib.Path
) -> None:
    compiler.does(FAILS)
    log = tmp_path / "key" / library_cache.FAILURE
    first, second = (refused(build, tmp_path / "key") for _ in range(2))
    assert compiler.calls == 1
    assert log.read_text(encoding="utf-8") == f"{tmp_path}/bin/g++: stand-in 1.0\n" + "".join(
        f"error {number}\n" for number in range(1, 101)
    )
    assert len(first.splitlines()) == 1 + extension.SHOWN_LINES + 1
    assert len(second.splitlines()) == 1
    for text in (first, second):
        assert f"is in {log}. It is tried again once the compiler, torch or the sources change, and by" in text
        assert text.endswith("`neuronspan-runtime build`")


@pytest.mark.parametrize("said", ["", "half a line"], ids=["empty", "torn"])
def test_extension_tries_again_where_the_log_says_nothing_of_this_compiler(
    build: torch_builds.TorchBuild, compiler: stand_in_compiler.Compiler, tmp_path: pathlib.Path, said: str
) -> None:
    log = tmp_path / "key" / library_cache.FAILURE
    log.parent.mkdir()
    log.write_text(said, encoding="utf-8")
    assert extension.built_once(build, log.parent).is_file()
    assert not log.exists()


def test_extension_tries_again_with_another_version_of_the_compiler(
    build: torch_builds.TorchBuild, compiler: stand_in_compiler.Compiler, tmp_path: pathlib.Path
) -> None:
    compiler.does(FAILS)
    refused(build, tmp_path / "key")
    compiler.does('echo library > "$2"', version="1.1")
    assert extension.built_once(build, tmp_path / "key").is_file()
    assert [path.name for path in (tmp_path / "key").iterdir()] == [extension.LIBRARY]


def test_extension_tries_again_with_another_compiler(
    build: torch_builds.TorchBuild,
    compiler: stand_in_compiler.Compiler,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiler.does(FAILS)
    refused(build, tmp_path / "key")
    other = stand_in_compiler.Compiler(tmp_path / "other")
    monkeypatch.setenv("CXX", f"{tmp_path}/other/g++")
    assert extension.built_once(build, tmp_path / "key").is_file()
    assert other.calls == 1


def test_extension_tries_again_when_it_is_told_to(
    build: torch_builds.TorchBuild, compiler: stand_in_compiler.Compiler, tmp_path: pathlib.Path
) -> None:
    compiler.does(FAILS)
    refused(build, tmp_path / "key")
    refused(build, tmp_path / "key", again=True)
    assert compiler.calls == 2
    compiler.does('echo library > "$2"')
    refused(build, tmp_path / "key")
    assert extension.built_once(build, tmp_path / "key", again=True).is_file()


def test_extension_command_line_builds_again_what_an_import_does_not(
    compiler: stand_in_compiler.Compiler,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv(environment.LIBRARY_ENV, raising=False)
    monkeypatch.setenv(environment.CACHE_ENV, str(tmp_path / "cache"))
    monkeypatch.setattr(extension, "PREBUILT", tmp_path / "lib")
    compiler.does(FAILS)
    assert (command_line.main(["path"]), command_line.main(["path"]), compiler.calls) == (1, 1, 1)
    compiler.does('echo library > "$2"')
    assert (command_line.main(["path"]), command_line.main(["build"]), compiler.calls) == (1, 0, 2)
    assert "error" not in capsys.readouterr().err.splitlines()[-1]
    assert command_line.main(["path"]) == 0


def test_extension_failure_of_a_compiler_that_cannot_be_asked_is_remembered_too(tmp_path: pathlib.Path) -> None:
    (tmp_path / "g++").touch(0o644)
    assert "Permission denied" in compilation.identity([str(tmp_path / "g++")])


def test_extension_without_a_compiler_says_what_to_install(
    build: torch_builds.TorchBuild, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(errors.LibraryUnavailable, match=r"no C\+\+ compiler is on PATH .* apt-get install g\+\+"):
        extension.built_once(build, tmp_path / "key")
    assert list((tmp_path / "key").iterdir()) == []


def test_extension_uses_the_compiler_that_cxx_names(
    build: torch_builds.TorchBuild, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = stand_in_compiler.Compiler(tmp_path / "other", name="mine++")
    monkeypatch.setenv("CXX", f"{tmp_path}/other/mine++ --fast")
    assert extension.built_once(build, tmp_path / "key").is_file()
    assert (named.calls, named.arguments[0]) == (1, "--fast")


def test_extension_never_takes_another_compiler_than_the_one_cxx_names(
    build: torch_builds.TorchBuild,
    compiler: stand_in_compiler.Compiler,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CXX", "mine++")
    with pytest.raises(errors.LibraryUnavailable, match=r"CXX=mine\+\+ is not on PATH"):
        extension.built_once(build, tmp_path / "key")
    assert compiler.calls == 0


def test_extension_gives_the_compiler_a_temporary_directory_that_goes(
    build: torch_builds.TorchBuild, compiler: stand_in_compiler.Compiler, tmp_path: pathlib.Path
) -> None:
    """Containers often have a /tmp that cannot be written."""
    compiler.does('echo "$TMPDIR" > "$2"')
    path = extension.built_once(build, tmp_path / "key")
    temporary = pathlib.Path(path.read_text(encoding="utf-8").strip())
    assert temporary.parent == path.parent
    assert not temporary.exists()


def test_extension_without_headers_says_what_to_install(
    compiler: stand_in_compiler.Compiler, tmp_path: pathlib.Path
) -> None:
    bare = torch_builds.TorchBuild("2.6.0+debian", True, "libtorch_cpu.so.2.6", "x86_64", tmp_path)
    with pytest.raises(errors.LibraryUnavailable, match=r"no C\+\+ headers .* apt-get install libtorch-dev"):
        extension.built_once(bare, tmp_path / "key")
    assert compiler.calls == 0


def test_extension_cache_that_cannot_be_written_names_the_settings(
    build: torch_builds.TorchBuild, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        errors.LibraryUnavailable, match=f"{environment.CACHE_ENV} to a writable .*{environment.LIBRARY_ENV}"
    ):
        extension.built_once(build, tmp_path / "file" / "key")


def test_extension_without_a_home_names_the_setting(
    compiler: stand_in_compiler.Compiler, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> pathlib.Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv(environment.LIBRARY_ENV, raising=False)
    monkeypatch.setattr(environment, "cache_directory", nowhere)
    monkeypatch.setattr(extension, "PREBUILT", tmp_path)
    with pytest.raises(errors.LibraryUnavailable, match=rf"home directory\. Set {environment.CACHE_ENV}"):
        extension.library()
    assert compiler.calls == 0


@pytest.mark.parametrize("fitting", [lambda build: build, torch_builds.in_wheels], ids=["image", "wheel"])
def test_extension_prefers_the_named_then_the_prebuilt_then_the_cached_library(
    compiler: stand_in_compiler.Compiler,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    fitting: Callable[[torch_builds.TorchBuild], torch_builds.TorchBuild],
) -> None:
    build = torch_builds.installed_torch()
    monkeypatch.delenv(environment.LIBRARY_ENV, raising=False)
    monkeypatch.setenv(environment.CACHE_ENV, str(tmp_path / "cache"))
    monkeypatch.setattr(extension, "PREBUILT", tmp_path / "lib")
    assert extension.library() == tmp_path / "cache" / torch_builds.key(build) / extension.LIBRARY
    prebuilt = tmp_path / "lib" / torch_builds.key(fitting(build)) / extension.LIBRARY
    prebuilt.parent.mkdir(parents=True)
    prebuilt.touch()
    assert extension.library() == prebuilt
    monkeypatch.setenv(environment.LIBRARY_ENV, str(prebuilt.with_name("mine.so")))
    with pytest.raises(errors.LibraryUnavailable, match=r"NEURONSPAN_RUNTIME_LIBRARY=.*mine\.so does not exist"):
        extension.library()
    prebuilt.with_name("mine.so").touch()
    assert extension.library() == prebuilt.with_name("mine.so")
    assert compiler.calls == 1


def test_extension_of_a_wheel_is_for_any_build_of_one_version_but_no_other_abi(build: torch_builds.TorchBuild) -> None:
    def in_wheel(**changed: object) -> str:
        return torch_builds.key(torch_builds.in_wheels(dataclasses.replace(build, **changed)))  # type: ignore[arg-type]

    assert in_wheel(version="2.6.0+cpu") == in_wheel(version="2.6.0", libc="glibc 2.36")
    different = ({"version": "2.6.1"}, {"cxx11_abi": False}, {"soname": "libtorch_cpu.so"}, {"machine": "aarch64"})
    assert len({in_wheel(), *(in_wheel(**changed) for changed in different)}) == 5


def test_extension_of_no_library_and_no_compiler_names_the_versions_that_are_prebuilt(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(environment.LIBRARY_ENV, raising=False)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(environment.CACHE_ENV, str(tmp_path / "cache"))
    monkeypatch.setattr(extension, "PREBUILT", tmp_path / "lib")
    for name in ("torch-2.6.0-0123456789ab", "torch-2.10.0-0123456789ab", "torch-2.6.0-ba9876543210", "notes"):
        (tmp_path / "lib" / name).mkdir(parents=True)
    with pytest.raises(
        errors.LibraryUnavailable, match=r"install g\+\+ .*; libraries are prebuilt for torch 2\.6\.0, 2\.10\.0$"
    ):
        extension.library()


def test_extension_command_line_builds_where_it_is_told(
    compiler: stand_in_compiler.Compiler, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = torch_builds.key(torch_builds.installed_torch())
    for _ in range(2):
        assert command_line.main(["build", "--output", str(tmp_path / "out")]) == 0
        assert capsys.readouterr().out == f"{tmp_path}/out/{name}/{extension.LIBRARY}\n"
    assert compiler.calls == 1


def test_extension_command_line_tells_which_library_is_used(
    compiler: stand_in_compiler.Compiler,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "mine.so").touch()
    monkeypatch.setenv(environment.LIBRARY_ENV, str(tmp_path / "mine.so"))
    assert command_line.main(["path"]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/mine.so\n"
    assert compiler.calls == 0


def test_extension_command_line_fails_in_one_sentence(
    compiler: stand_in_compiler.Compiler, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert command_line.main(["build", "--output", str(tmp_path / "file")]) == 1
    said = capsys.readouterr()
    assert (said.out, len(said.err.splitlines())) == ("", 1)
    assert said.err.startswith("neuronspan-runtime: the Neuron device library cannot be kept in ")


def test_extension_without_a_compiler_the_import_fails_with_one_error_that_says_what_to_install(
    tmp_path: pathlib.Path,
) -> None:
    environ = {"PATH": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path), environment.CACHE_ENV: str(tmp_path)}
    command = [sys.executable, "-c", "import torch_neuronx"]
    result = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.count("Traceback") == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("neuronspan_runtime.errors.LibraryUnavailable: no library for torch ")
    assert "install g++ (Debian: apt-get install g++)" in last
