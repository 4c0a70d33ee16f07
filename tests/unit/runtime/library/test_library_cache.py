"""Old libraries go and used ones stay, whatever other processes do at the same time."""

import fcntl
import os
import pathlib
import time

import pytest

from kits.device import neuron_processes
from native import stand_in_compiler
from neuronspan_runtime import environment
from neuronspan_runtime.library import extension, library_cache, retention

DAY = 24 * 3600.0
NOW = time.time()


def keep(cache: pathlib.Path, number: int, days: float = 100.0) -> pathlib.Path:
    """Put a library into the cache that was used so many days ago."""
    library = cache / f"torch-2.6.0+test-{number:012x}" / library_cache.LIBRARY
    library.parent.mkdir(parents=True)
    library.write_text(f"library {number}", encoding="utf-8")
    os.utime(library, (NOW - days * DAY,) * 2)
    return library


@pytest.fixture
def cache(tmp_path: pathlib.Path) -> pathlib.Path:
    """A cache with five libraries that are kept in any case, because they are the last used ones."""
    directory = tmp_path / "cache"
    for number in range(retention.KEPT):
        keep(directory, 100 + number, days=1)
    return directory


def left(cache: pathlib.Path) -> set[int]:
    """The numbers of the directories that are left, without the five."""
    return {int(path.name[-12:], 16) for path in cache.iterdir()} - set(range(100, 100 + retention.KEPT))


def test_pruning_removes_a_whole_directory_and_what_a_killed_builder_left_there(cache: pathlib.Path) -> None:
    old = keep(cache, 1)
    (old.parent / f"{library_cache.SCRATCH}x").mkdir()
    keep(cache, 2, days=10)
    (cache / "notes").mkdir()
    library_cache.prune(cache, NOW)
    assert not old.parent.exists()
    assert (cache / "notes").is_dir()
    (cache / "notes").rmdir()
    assert left(cache) == {2}


@pytest.mark.parametrize(("days", "kept"), [(13, True), (15, False)])
def test_pruning_removes_logs_of_failed_builds_that_nobody_repeats(
    cache: pathlib.Path, days: float, kept: bool
) -> None:
    log = cache / f"torch-2.6.0+test-{1:012x}" / library_cache.FAILURE
    log.parent.mkdir()
    log.touch()
    os.utime(log, (NOW - days * DAY,) * 2)
    library_cache.prune(cache, NOW)
    assert left(cache) == ({1} if kept else set())


def test_pruning_keeps_what_it_does_not_know_in_a_directory_that_it_empties(cache: pathlib.Path) -> None:
    old = keep(cache, 1)
    (old.parent / "mine").touch()
    library_cache.prune(cache, NOW)
    assert [path.name for path in old.parent.iterdir()] == ["mine"]


def test_pruning_spares_what_a_builder_holds(cache: pathlib.Path) -> None:
    old = keep(cache, 1)
    with library_cache.alone(old.parent):
        library_cache.prune(cache, NOW)
        assert old.exists()
    library_cache.prune(cache, NOW)
    assert left(cache) == set()


def test_pruning_without_a_cache_or_without_the_right_to_write_does_nothing(tmp_path: pathlib.Path) -> None:
    library_cache.prune(tmp_path / "nowhere", NOW)
    (tmp_path / "file").touch()
    library_cache.prune(tmp_path / "file", NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def holding(library: pathlib.Path) -> bool:
    return library_cache.hold(library)


def holding_in_a_child_alone(library: pathlib.Path) -> int:
    """Hold it, fork, and leave it to the child; the parent of both is gone when this process is left."""
    assert library_cache.hold(library)
    child = os.fork()
    if child == 0:
        os.read(os.open(library.parent.parent / "gate", os.O_RDONLY), 1)
        os._exit(0)
    return child


def test_library_that_a_process_uses_is_spared_until_it_ends(
    processes: neuron_processes.Parent, cache: pathlib.Path
) -> None:
    old = keep(cache, 1, days=0.5)
    with processes.start({}, holding, old) as user:
        assert user.outcome().value
        os.utime(old, (0, 0))
        library_cache.prune(cache, NOW)
        assert left(cache) == {1}
    library_cache.prune(cache, NOW)
    assert left(cache) == set()


def test_library_that_only_a_forked_child_uses_is_spared(
    processes: neuron_processes.Parent, cache: pathlib.Path
) -> None:
    old = keep(cache, 1, days=0.5)
    os.mkfifo(cache / "gate")
    with processes.start({}, holding_in_a_child_alone, old) as user:
        child = user.outcome().value
    os.utime(old, (0, 0))
    library_cache.prune(cache, NOW)
    assert old.exists()
    (cache / "gate").write_text("go", encoding="utf-8")
    neuron_processes.wait_gone(child)
    library_cache.prune(cache, NOW)
    assert not old.exists()


@pytest.mark.parametrize(("days", "noted"), [(0.5, False), (2, True)])
def test_use_is_noted_once_a_day(days: float, noted: bool, cache: pathlib.Path) -> None:
    library = keep(cache, 1, days)
    before = library.stat().st_mtime
    assert library_cache.hold(library)
    assert (library.stat().st_mtime > before) is noted


def test_library_that_was_removed_cannot_be_held(cache: pathlib.Path) -> None:
    assert not library_cache.hold(cache / "torch-2.6.0+test-000000000001" / library_cache.LIBRARY)


def test_library_that_is_removed_while_it_is_opened_cannot_be_held(
    cache: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, flock = keep(cache, 1), fcntl.flock

    def slower(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_SH:
            library.unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", slower)
    assert not library_cache.hold(library)


def test_builder_makes_the_directory_again_that_a_pruner_removes(
    cache: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment between making the directory and opening the lock in it belongs to nobody."""
    directory, opened, removals = cache / "torch-2.6.0+test-000000000001", os.open, [True]

    def late(path: pathlib.Path, flags: int, mode: int = 0o777) -> int:
        if removals:
            removals.clear()
            directory.rmdir()
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", late)
    with library_cache.alone(directory):
        assert [path.name for path in directory.iterdir()] == ["lock"]


@pytest.fixture
def compiler(
    cache: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> stand_in_compiler.Compiler:
    """The compiler of a process that has nothing but this cache."""
    made = stand_in_compiler.Compiler(tmp_path / "bin")
    monkeypatch.setenv("PATH", made.path)
    monkeypatch.delenv(environment.LIBRARY_ENV, raising=False)
    monkeypatch.delenv(environment.COMPILER_ENV, raising=False)
    monkeypatch.setenv(environment.CACHE_ENV, str(cache))
    monkeypatch.setattr(extension, "PREBUILT", tmp_path)
    return made


def test_builds_prune_and_uses_of_a_built_library_do_not(
    cache: pathlib.Path, compiler: stand_in_compiler.Compiler
) -> None:
    first = keep(cache, 1)
    built = extension.library()
    assert not first.exists()
    second = keep(cache, 2)
    assert extension.library() == built
    assert second.exists()
    assert compiler.calls == 1


def test_library_that_is_removed_before_it_can_be_held_is_built_again(
    compiler: stand_in_compiler.Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold, tries = library_cache.hold, []

    def too_late(library: pathlib.Path) -> bool:
        tries.append(library)
        if len(tries) == 1:
            library.unlink()
        return hold(library)

    monkeypatch.setattr(library_cache, "hold", too_late)
    assert extension.library().is_file()
    assert (len(tries), compiler.calls) == (2, 2)
