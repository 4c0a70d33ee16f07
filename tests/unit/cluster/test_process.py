import errno
import shutil
import sys
import time
from pathlib import Path

import pytest

from cluster import console, disk, environment, errors, locking, process


def test_run_returns_what_was_printed() -> None:
    assert process.run(["cat"], timeout=5, stdin=b"text") == "text"


def test_run_feeds_a_file(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("from file", encoding="ascii")
    assert process.run(["cat"], timeout=5, stdin=tmp_path / "in") == "from file"


def test_failure_carries_the_end_of_the_complaint() -> None:
    with pytest.raises(errors.CommandFailed, match="boom") as caught:
        process.run(["sh", "-c", "echo boom >&2; exit 3"], timeout=5)
    assert caught.value.code == 3


def test_child_is_stopped_with_everything_it_started_when_its_time_is_over(tmp_path: Path) -> None:
    script = f"(sleep 60; touch {tmp_path}/late) & echo $! > {tmp_path}/child; wait"
    with pytest.raises(errors.CommandTimedOut, match="stopped after 0 s"):
        process.run(["sh", "-c", script], timeout=0.3)
    child = Path("/proc") / (tmp_path / "child").read_text(encoding="ascii").strip()
    deadline = time.monotonic() + 2
    while child.exists() and "Z" not in (child / "stat").read_text(encoding="ascii") and time.monotonic() < deadline:
        pass
    assert not child.exists() or " Z " in (child / "stat").read_text(encoding="ascii")


def test_logged_writes_everything_and_shows_the_end(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "x.log"
    lines: list[str] = []
    script = "for i in $(seq 50); do echo line $i; done; exit 1"
    with pytest.raises(errors.CommandFailed, match=r"line 50\nthe whole output: .*x\.log") as caught:
        process.logged(["sh", "-c", script], log, timeout=5, alive=lambda: None, each_line=lines.append)
    assert log.read_text(encoding="ascii").count("\n") == len(lines) == 50
    assert "line 20\n" not in caught.value.tail


def test_logged_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "HEARTBEAT_SECONDS", 0.01)
    beats: list[int] = []
    process.logged(["sleep", "0.1"], tmp_path / "log", timeout=5, alive=lambda: beats.append(1))
    assert beats


def test_logged_does_not_wait_for_strays_that_hold_its_output(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process.logged(["sh", "-c", "sleep 60 & echo done"], log, timeout=5, alive=lambda: None)
    assert log.read_text(encoding="ascii") == "done\n"


def test_missing_program_is_no_success() -> None:
    assert not process.succeeds(["no-such-program-anywhere"], timeout=1)
    assert process.succeeds([sys.executable, "-c", ""], timeout=5)


def test_new_directory_appears_complete(tmp_path: Path) -> None:
    with locking.new_directory(tmp_path / "out") as draft:
        (draft / "file").touch()
        assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "file"]


def test_failed_directory_leaves_nothing(tmp_path: Path) -> None:
    def fill() -> None:
        with locking.new_directory(tmp_path / "out") as draft:
            (draft / "file").touch()
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_what_an_interrupted_maker_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".out.leftover").mkdir()
    (tmp_path / ".other.leftover").mkdir()
    with locking.new_directory(tmp_path / "out"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.leftover", "out"]


def test_new_file_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    with locking.new_file(tmp_path / "good") as draft:
        draft.write_text("x", encoding="ascii")

    def fail() -> None:
        with locking.new_file(tmp_path / "bad") as draft:
            draft.write_text("x", encoding="ascii")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["good"]


def test_lock_can_be_taken_again_after_it_was_left(tmp_path: Path) -> None:
    for _ in range(2):
        with locking.exclusive(tmp_path / "locks" / "x.lock"):
            assert (tmp_path / "locks" / "x.lock").read_text(encoding="ascii").isdigit()


def test_too_little_room_names_the_disk_and_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_500_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(errors.NoSpace, match=r"building takes about 6 GB and .* has 1\.5 GB left.*NEURONSPAN_CACHE"):
        disk.need("building", tmp_path / "not" / "yet", 6_000_000_000)
    disk.need("building", tmp_path, 1_000_000_000)


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59.9, "59 s"), (60, "1 min 00 s"), (754, "12 min 34 s")])
def test_time_is_written_for_people(seconds: float, text: str) -> None:
    assert console.elapsed(seconds) == text


def test_step_says_its_end_only_when_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 5.0, 9.0])
    with console.Step("work", clock=lambda: next(times)) as step:
        step.progress("half")
    with pytest.raises(KeyError), console.Step("other"):
        raise KeyError
    assert capsys.readouterr().err.splitlines() == [
        "cluster: work ...",
        "cluster: work: half (5 s)",
        "cluster: work: done in 9 s",
        "cluster: other ...",
    ]


def test_proxies_are_passed_on_in_both_spellings() -> None:
    given = {"https_proxy": "http://p:1", "NO_PROXY": "localhost", "http_proxy": "", "HOME": "/h"}
    assert environment.proxies(given) == {"https_proxy": "http://p:1", "NO_PROXY": "localhost"}


def test_certificate_bundle_is_the_one_programs_were_told_to_trust(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.touch()
    told = {"PIP_CERT": str(tmp_path / "gone.pem"), "SSL_CERT_FILE": str(bundle)}
    assert environment.certificate_bundle(told) == bundle
    assert environment.certificate_bundle({"PIP_CERT": ""}) is None


def test_cache_can_be_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURONSPAN_CACHE", "/big/disk")
    assert environment.cache_home() == Path("/big/disk")
    monkeypatch.delenv("NEURONSPAN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert environment.cache_home() == Path("/xdg/neuronspan")
