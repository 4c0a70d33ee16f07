import pathlib
import signal
import subprocess
import sys

import pytest

from lanes import closings

TESTS = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("=== 12 passed in 0.50s ===", {"passed": 12}),
        (
            "= 1 failed, 12 passed, 2 skipped, 3 warnings, 1 error in 65.50s (0:01:05) =",
            {
                "failed": 1,
                "passed": 12,
                "skipped": 2,
                "warning": 3,
                "error": 1,
            },
        ),
        ("== 3 passed in 1.00s ==\nprinted by a test\n== 4 passed in 2.00s ==\n", {"passed": 4}),
    ],
    ids=["short", "everything", "the last one counts"],
)
def test_closing_line_is_read(text: str, counts: dict[str, int]) -> None:
    assert closings.parse(text).of == counts


@pytest.mark.parametrize("text", ["", "4 passed in 2.00s", "=== no tests ran in 0.01s ===", "!!! Interrupted !!!"])
def test_run_without_a_closing_line_is_told(text: str) -> None:
    with pytest.raises(closings.NoClosingError):
        closings.parse(text)


def test_sum_is_written_as_pytest_would() -> None:
    runs = [closings.Counts({"passed": 5, "warning": 1}), closings.Counts({"failed": 1, "passed": 7, "error": 2})]
    written = closings.line(closings.total(runs), 3725.5).strip("=")
    assert written == " 1 failed, 12 passed, 1 warning, 2 errors in 3725.50s (1:02:05) "


def test_line_that_is_written_is_read_again() -> None:
    counts = closings.Counts(dict.fromkeys(closings.ORDER, 2))
    assert closings.parse(closings.line(counts, 61.0)) == counts


def test_setup_errors_and_skipped_tests_are_no_verdict() -> None:
    assert closings.parse("== 3 skipped, 1 error in 0.10s ==").ran == 0


def lanes(directory: pathlib.Path, **files: str) -> "subprocess.Popen[str]":
    """Start one lane per file of tests, in this directory."""
    (directory / "pytest.ini").write_text("[pytest]\n", encoding="ascii")
    for name, text in files.items():
        (directory / f"test_{name}.py").write_text(text, encoding="ascii")
    command = [sys.executable, "-m", "lanes", *(f"{name}=test_{name}.py" for name in files)]
    return subprocess.Popen(
        command,
        cwd=directory,
        env={"PYTHONPATH": str(TESTS), "PATH": "/usr/bin:/bin", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


GOOD = "def test_one():\n    pass\n"
BAD = "def test_two():\n    assert 1 == 2\n"


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("second", "status", "closing"),
    [(GOOD, 0, " 2 passed in "), (BAD, 1, " 1 failed, 1 passed in ")],
    ids=["good", "bad"],
)
def test_verdict_is_that_of_all_lanes(tmp_path: pathlib.Path, second: str, status: int, closing: str) -> None:
    with lanes(tmp_path, first=GOOD, second=second) as run:
        printed, _ = run.communicate()
    assert run.returncode == status
    assert closing in printed.splitlines()[-1]
    assert "----- second" in printed


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("second", "words"),
    [("", "second ran no test"), ("import os\nos._exit(0)\n", "second ended with 0 before")],
    ids=["no test", "died"],
)
def test_lane_that_shows_nothing_fails_the_run(tmp_path: pathlib.Path, second: str, words: str) -> None:
    with lanes(tmp_path, first=GOOD, second=second) as run:
        printed, _ = run.communicate()
    assert run.returncode != 0
    assert words in printed.splitlines()[-1] or "no test" in printed


@pytest.mark.timeout(30)
def test_interruption_lets_every_lane_take_its_fixtures_down(tmp_path: pathlib.Path) -> None:
    slow = (
        "import pathlib, time, pytest\n"
        "@pytest.fixture\n"
        "def thing():\n"
        "    yield\n"
        "    pathlib.Path('down-NAME').touch()\n"
        "def test_slow(thing):\n"
        "    pathlib.Path('up-NAME').touch()\n"
        "    time.sleep(60)\n"
    )
    with lanes(tmp_path, first=slow.replace("NAME", "first"), second=slow.replace("NAME", "second")) as run:
        while len(list(tmp_path.glob("up-*"))) < 2:
            assert run.poll() is None
        run.send_signal(signal.SIGTERM)
        run.communicate()
    assert sorted(path.name for path in tmp_path.glob("down-*")) == ["down-first", "down-second"]
    assert run.returncode != 0
