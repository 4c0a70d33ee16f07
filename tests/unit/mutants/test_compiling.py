"""What of the C++ library is compiled again for a mutant, shown on a library of three small files."""

import ctypes
import os
import pathlib

import pytest

from mutants import compiling

SOURCES = {
    "numbers.h": '#include <cstddef>\nconstexpr int kOne = 1;\nint two();\nextern "C" int three();\n',
    "two.cpp": '#include "numbers.h"\nint two() { return kOne + kOne; }\n',
    "deep/three.h": '#include "numbers.h"\n',
    "deep/three.cpp": '#include "deep/three.h"\nint three() { return two() + kOne; }\n',
    "alone.cpp": "int alone() { return 7; }\n",
}
TOOLS = compiling.Toolchain(compiler=("g++",), version="any", flags=("-fPIC", "-O0"), headers=(), libraries=())


def three(library: pathlib.Path) -> int:
    return int(ctypes.CDLL(os.fspath(library)).three())


def objects(store: pathlib.Path) -> set[str]:
    return {path.name for path in store.glob("*.o")}


def test_file_is_compiled_with_all_that_it_includes() -> None:
    assert compiling.reached("deep/three.cpp", SOURCES) == {"deep/three.cpp", "deep/three.h", "numbers.h"}
    assert compiling.reached("alone.cpp", SOURCES) == {"alone.cpp"}


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ("numbers.h", {"two.cpp", "deep/three.cpp"}),
        ("deep/three.h", {"deep/three.cpp"}),
        ("alone.cpp", {"alone.cpp"}),
    ],
)
def test_change_gives_new_names_to_the_objects_that_it_reaches_and_to_no_others(changed: str, again: set[str]) -> None:
    mutated = {**SOURCES, changed: SOURCES[changed] + "// changed\n"}
    units = [name for name in SOURCES if name.endswith(".cpp")]
    assert {name for name in units if compiling.key(name, SOURCES) != compiling.key(name, mutated)} == again


def test_headers_of_others_are_collected_once_each() -> None:
    sources = {**SOURCES, "more.cpp": "#include <vector>\n#include <cstddef>  // again\n"}
    assert compiling.foreign_headers(sources) == "#include <cstddef>\n#include <vector>\n"


@pytest.mark.timeout(60)  # seven runs of the compiler, on a machine that may be busy
def test_library_is_made_of_what_is_kept_and_what_is_changed(tmp_path: pathlib.Path) -> None:
    workshop = compiling.Workshop(TOOLS, tmp_path / "store")
    workshop.library(SOURCES, tmp_path / "sound.so")
    before = objects(tmp_path / "store")
    mutated = {**SOURCES, "two.cpp": SOURCES["two.cpp"].replace("kOne + kOne", "kOne - kOne")}
    workshop.library(mutated, tmp_path / "mutant.so")
    assert (three(tmp_path / "sound.so"), three(tmp_path / "mutant.so")) == (3, 1)
    assert (len(before), len(objects(tmp_path / "store") - before)) == (3, 1)
    assert not list((tmp_path / "store").glob("sources-*"))


@pytest.mark.timeout(60)  # as above
def test_what_is_no_cpp_is_told_and_leaves_no_object(tmp_path: pathlib.Path) -> None:
    workshop = compiling.Workshop(TOOLS, tmp_path / "store")
    with pytest.raises(compiling.CompileFailed, match="error"):
        workshop.library({"broken.cpp": "int x(\n"}, tmp_path / "never.so")
    assert not objects(tmp_path / "store")
    assert not (tmp_path / "never.so").exists()


def test_objects_go_when_they_were_not_used_for_two_weeks(tmp_path: pathlib.Path) -> None:
    old, new = tmp_path / "old.o", tmp_path / "new.o"
    for path, age in ((old, compiling.KEPT_SECONDS + 1), (new, compiling.KEPT_SECONDS - 1)):
        path.touch()
        os.utime(path, (1e9 - age, 1e9 - age))
    compiling.Workshop(TOOLS, tmp_path).prune(1e9)
    assert [path.name for path in tmp_path.iterdir()] == ["new.o"]
