import concurrent.futures
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster import errors, locking, process, scopes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]  # programs are started


def test_steps_of_a_crew_run_side_by_side() -> None:
    meeting = threading.Barrier(2)
    with scopes.Crew() as crew:
        steps = [crew.start(meeting.wait, 30) for _ in range(2)]
    assert sorted(step.result() for step in steps) == [0, 1]


def test_step_may_wait_for_what_another_one_makes() -> None:
    with scopes.Crew() as crew:
        made = crew.start(lambda: 3)
        used = crew.start(lambda: made.result() + 1)
    assert used.result() == 4


def together(*steps: Callable[[], object]) -> list["concurrent.futures.Future[object]"]:
    """Steps of one crew, one of which fails; what became of each."""
    futures: list[concurrent.futures.Future[object]] = []

    def crew_at_work() -> None:
        with scopes.Crew() as crew:
            futures.extend([crew.start(step) for step in steps])

    with pytest.raises(errors.NoImage):
        crew_at_work()
    return futures


def fail() -> None:
    """What goes wrong in a step."""
    raise errors.NoImage("no such image")


def test_failure_ends_the_programs_of_the_other_steps_and_is_the_one_that_is_told(tmp_path: Path) -> None:
    started = threading.Event()

    def long() -> None:
        process.logged(
            ["sh", "-c", "echo here; sleep 60"],
            tmp_path / "log",
            timeout=60,
            alive=lambda: None,
            each_line=lambda _: started.set(),
        )

    def fail_later() -> None:
        assert started.wait(100)  # a machine that is busy with files starts nothing for half a minute
        fail()

    other, _ = together(long, fail_later)
    assert isinstance(other.exception(), errors.CommandFailed)


def test_stopped_crew_starts_nothing_more(tmp_path: Path) -> None:
    failed = threading.Event()

    def next_command() -> None:
        assert failed.wait(100)
        while True:
            process.run(["true"], timeout=30)

    def fail_first() -> None:
        failed.set()
        fail()

    other, _ = together(next_command, fail_first)
    assert isinstance(other.exception(), (errors.Abandoned, errors.CommandFailed))
    assert process.run(["echo", "on"], timeout=30) == "on\n", "the crew has ended, and whoever started it goes on"


def test_failed_crew_inside_a_crew_lets_the_step_around_it_clean_up() -> None:
    def step() -> str:
        together(fail)
        return process.run(["echo", "cleaned"], timeout=30)

    with scopes.Crew() as crew:
        outer = crew.start(step)
    assert outer.result() == "cleaned\n"


def test_failure_around_a_crew_ends_the_one_inside() -> None:
    running = threading.Event()

    def inside() -> None:
        running.set()
        process.run(["sleep", "60"], timeout=60)

    def step() -> None:
        with scopes.Crew() as inner:
            inner.start(inside)

    def fail_later() -> None:
        running.wait(30)
        fail()

    outer, _ = together(step, fail_later)
    assert isinstance(outer.exception(), (errors.Abandoned, errors.CommandFailed))


def test_interruption_ends_every_step() -> None:
    steps = []

    def interrupted() -> None:
        with scopes.Crew() as crew:
            steps.append(crew.start(process.run, ["sleep", "60"], timeout=60))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert steps[0].exception() is not None or steps[0].cancelled()


def test_step_that_waits_for_a_lock_gives_up(tmp_path: Path) -> None:
    def wait() -> None:
        with locking.exclusive(tmp_path / "lock"):
            raise AssertionError

    with locking.exclusive(tmp_path / "lock"):
        waiting, _ = together(wait, fail)
        assert isinstance(waiting.exception(), errors.Abandoned)


def test_program_that_has_just_started_when_its_scope_ends_is_ended_too() -> None:
    scope = scopes.Scope()
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    scope.stop()
    with pytest.raises(errors.Abandoned), scope.holding(lambda: process.kill_group(child)):
        raise AssertionError
    process.stop_group(child)
