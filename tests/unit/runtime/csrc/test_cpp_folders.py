"""The C++ sources are in folders that only look down, in the order in which csrc/README.md explains them."""

import collections
import re
from collections.abc import Iterator, Mapping

import pytest

from neuronspan_runtime.library import torch_builds

ORDER = ("check.h", "reporting", "hbm", "device", "interfaces", "graph", "operators", "model", "bindings.cpp")
"""From the bottom up; the two files belong to no folder: everything may include the first, nothing the last."""
MOST = 11
"""Files in a folder; a header and its source count once."""

_INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)

SMALLEST = {
    "check.h": "#include <cerrno>\n",
    "hbm/arena.h": '#include "check.h"\n',
    "hbm/arena.cpp": '#include "hbm/arena.h"\n',
    "device/device.h": '#include "hbm/arena.h"\n',
    "bindings.cpp": '#include "device/device.h"\n',
}


def problems(files: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with sources, which are given as texts by their paths below csrc."""
    for path, text in files.items():
        if _place(path) not in ORDER:
            yield f"{path} is in no folder of the order"
            continue
        for quote, included in _INCLUDE.findall(text):
            if (included in files) != (quote == '"'):
                yield f"{path} includes {included}: what is ours is named in quotes, with its path from csrc"
            elif quote == '"' and _place(included) in ORDER and _height(included) > _height(path):
                yield f"{path} includes {included}, which is above it"
    stems = {path.rpartition(".")[0] for path in files}
    for folder, count in collections.Counter(stem.rpartition("/")[0] for stem in stems).items():
        if count > MOST:
            yield f"{folder} has {count} files, not at most {MOST}"


def arrows(files: Mapping[str, str]) -> set[tuple[str, str]]:
    """Return which folder includes which other one, and what the file at the top includes."""
    pairs = {(path, included) for path, text in files.items() for _, included in _INCLUDE.findall(text)}
    places = {(_place(path), _place(included)) for path, included in pairs if included in files}
    return {(upper, lower) for upper, lower in places if upper != lower != "check.h"}


def _place(path: str) -> str:
    return path.rpartition("/")[0] or path


def _height(path: str) -> int:
    return ORDER.index(_place(path))


def _sources() -> dict[str, str]:
    paths = [path for pattern in ("*.h", "*.cpp") for path in torch_builds.SOURCES.rglob(pattern)]
    return {path.relative_to(torch_builds.SOURCES).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def test_cpp_sources_never_include_what_is_above_them() -> None:
    files = _sources()
    assert list(problems(files)) == []
    assert {_place(path) for path in files} == set(ORDER)


def test_cpp_sources_that_look_down_are_in_order() -> None:
    assert list(problems(SMALLEST)) == []


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        ("hbm/arena.h", '#include "device/device.h"\n', "includes device/device.h, which is above it"),
        ("check.h", '#  include "hbm/arena.h"\n', "includes hbm/arena.h, which is above it"),
        ("device/device.h", '#include "bindings.cpp"\n', "includes bindings.cpp, which is above it"),
        ("hbm/arena.cpp", '#include "arena.h"\n', "includes arena.h: what is ours is named"),
        ("device/device.h", '#include "../hbm/arena.h"\n', r"includes \.\./hbm/arena\.h: what is ours is named"),
        ("device/device.h", "#include <hbm/arena.h>\n", "includes hbm/arena.h: what is ours is named"),
        ("tools/odd.h", "", "is in no folder of the order"),
        ("hbm/inner/odd.h", "", "is in no folder of the order"),
        ("odd.h", "", "is in no folder of the order"),
    ],
    ids=[
        *("include_of_a_later_folder", "include_in_what_all_include", "include_of_the_top", "bare_name"),
        *("relative_path", "angle_brackets", "unknown_folder", "folder_in_a_folder", "file_in_no_folder"),
    ],
)
def test_cpp_sources_out_of_order_are_named(path: str, text: str, problem: str) -> None:
    (found,) = problems(SMALLEST | {path: text})
    assert re.match(f"{re.escape(path)} {problem}", found)


def test_cpp_folder_holds_eleven_files_and_no_twelfth() -> None:
    eleven = {f"graph/{number}.{kind}": "" for number in range(MOST) for kind in ("h", "cpp")}
    assert list(problems(eleven)) == []
    assert list(problems({**eleven, "graph/odd.h": ""})) == ["graph has 12 files, not at most 11"]


def test_cpp_readme_explains_every_file_in_the_order_of_the_folders() -> None:
    text = (torch_builds.SOURCES / "README.md").read_text(encoding="utf-8")
    reading = text.partition("## Reading order\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in reading.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall("`([^`]+)`", row)]
    files = {path if path in ORDER else path.rpartition(".")[0] for path in _sources()}
    assert sorted(named) == sorted(files)
    assert named == sorted(named, key=_height)


def test_cpp_readme_draws_every_arrow_between_the_folders() -> None:
    text = (torch_builds.SOURCES / "README.md").read_text(encoding="utf-8")
    drawn = [
        (upper.replace("bindings", "bindings.cpp"), lower)
        for upper, all_lower in re.findall("^  ([a-z]+) --> (.+)$", text, re.MULTILINE)
        for lower in all_lower.split(" & ")
    ]
    assert sorted(drawn) == sorted(arrows(_sources()))
    assert re.findall("^[|] `([a-z]+)/` [|]", text, re.MULTILINE) == list(ORDER[1:-1])
