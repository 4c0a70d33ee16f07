"""A directory with a short path, and the runtime's library where it can be kept."""

import pathlib

import pytest

from neuronspan_embedded.command import directories


@pytest.fixture(autouse=True)
def nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directories, "_SHARED", ("/nowhere",))


def test_directory_is_where_tmpdir_says_and_goes_with_all_that_is_in_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directories, "LONGEST", 500)
    with directories.own({"TMPDIR": str(tmp_path)}) as made:
        (made / "a" / "b").mkdir(parents=True)
        assert made.parent == tmp_path
        assert made.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []


def test_path_that_is_too_long_for_sockets_is_passed_over(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = tmp_path / "s"
    short.mkdir()
    long = tmp_path / ("l" * 20)
    long.mkdir()
    monkeypatch.setattr(directories, "LONGEST", len(str(short)) + len("/ns-12345678"))
    assert directories.make({"TMPDIR": str(long), "XDG_RUNTIME_DIR": str(short)}).parent == short


def test_every_place_that_was_tried_is_named_with_its_cause(tmp_path: pathlib.Path) -> None:
    with pytest.raises(directories.NoDirectory) as refused:
        directories.make({"TMPDIR": "/proc/none", "XDG_RUNTIME_DIR": f"/{'l' * 60}"})
    told = str(refused.value)
    assert "/proc/none: No such file or directory" in told
    assert "its path is too long" in told
    assert "let TMPDIR name one" in told
    assert str(tmp_path) not in told


def test_library_is_kept_where_the_variable_says_or_at_home(tmp_path: pathlib.Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert directories.cache({"CACHE": "/x", **home}, "CACHE", tmp_path) == pathlib.Path("/x")
    assert directories.cache(home, "CACHE", tmp_path) == tmp_path / ".cache/neuronspan/runtime"


def test_library_is_built_for_this_run_when_the_home_directory_cannot_be_written() -> None:
    root = pathlib.Path("/root-of-the-run")
    assert directories.cache({"HOME": "/proc/1"}, "CACHE", root) == root / "runtime"
