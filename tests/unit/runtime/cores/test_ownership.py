import errno
import fcntl
import json
import os
import pathlib
import select
import signal
from collections.abc import Mapping

import pytest

from kits.device import core_claimer
from neuronspan import instance_types, spans
from neuronspan_runtime import environment, errors, nrt_status
from neuronspan_runtime.cores import hardware, ownership, selection

INF1 = instance_types.hardware_of("inf1.6xlarge")


@pytest.fixture
def eight(tmp_path: pathlib.Path) -> dict[str, str]:
    """The environment of a process on a machine of which it sees 8 cores."""
    return {
        "NEURONSPAN_STATE_DIR": str(tmp_path),
        "NEURONSPAN_INSTANCE_TYPE": "inf1.6xlarge",
        "NEURONSPAN_GRANT": "0-7",
    }


@pytest.fixture
def pod(tmp_path: pathlib.Path) -> dict[str, str]:
    """The environment of a process in a pod that was granted cores 4-7 and sees nothing else."""
    cores = tmp_path / "cores"
    cores.mkdir()
    for core in range(4, 8):
        (cores / f"{core}.lock").touch(mode=0o444)
    (tmp_path / "hardware.json").write_text(json.dumps(INF1.to_dict()))
    return {"NEURONSPAN_STATE_DIR": str(tmp_path), "NEURONSPAN_GRANT": "4-7"}


def claim(variables: Mapping[str, str]) -> ownership.Claim:
    settings = environment.read(variables)
    machine = hardware.find(settings, pathlib.Path("/nonexistent"))
    return ownership.claim(machine, selection.wish(settings, machine.hardware, machine.scope))


def open_files() -> set[str]:
    return {path.name for path in pathlib.Path("/proc/self/fd").iterdir()}


def refusal_line(variables: Mapping[str, str]) -> str:
    with pytest.raises(errors.StartRefused) as caught:
        claim(variables)
    return said(caught.value.lines)


def said(lines: tuple[str, ...]) -> str:
    """The first line of the log, without the function that logs it."""
    return lines[0].rpartition("  ")[2]


def test_claim_owns_all_cores_when_nothing_is_asked_for(eight: dict[str, str]) -> None:
    owner = claim(eight)
    assert owner.span == spans.CoreSpan(0, 8)
    assert refusal_line(eight) == "NeuronCore(s) not available - Requested:8 Available:0"
    owner.release()


def test_claims_follow_each_other_until_the_cores_run_out(eight: dict[str, str]) -> None:
    """Five processes of three cores on sixteen, one core left: the example of the runtime's configuration guide."""
    variables = eight | {"NEURONSPAN_GRANT": "0-15", "NEURON_RT_NUM_CORES": "3"}
    owners = [claim(variables) for _ in range(5)]
    assert [str(owner.span) for owner in owners] == ["0-2", "3-5", "6-8", "9-11", "12-14"]
    assert refusal_line(variables) == "NeuronCore(s) not available - Requested:3 Available:1"
    for owner in owners:
        owner.release()


def test_claim_of_taken_cores_is_refused_and_takes_nothing(eight: dict[str, str]) -> None:
    first = claim(eight | {"NEURON_RT_VISIBLE_CORES": "0-1"})
    assert refusal_line(eight | {"NEURON_RT_VISIBLE_CORES": "1-2"}) == (
        "NeuronCore(s) not available - Requested:nc1-nc2 Available:1"
    )
    rest = claim(eight | {"NEURON_RT_VISIBLE_CORES": "2-7"})
    assert rest.span == spans.CoreSpan(2, 6)
    first.release()
    rest.release()


def test_release_frees_the_cores_for_another_claim(eight: dict[str, str]) -> None:
    claim(eight).release()
    again = claim(eight)
    assert again.span.count == 8
    again.release()


def test_claim_leaves_no_file_open_but_those_of_its_cores(eight: dict[str, str]) -> None:
    before = open_files()
    owner = claim(eight | {"NEURON_RT_NUM_CORES": "3"})
    with pytest.raises(errors.StartRefused):
        claim(eight | {"NEURON_RT_NUM_CORES": "6"})
    assert len(open_files() - before) == 3
    owner.release()
    assert open_files() == before


def test_lock_files_are_made_read_only_outside_a_pod(eight: dict[str, str], tmp_path: pathlib.Path) -> None:
    claim(eight | {"NEURON_RT_NUM_CORES": "1"}).release()
    files = sorted((tmp_path / "cores").iterdir())
    assert [path.name for path in files] == [f"{core}.lock" for core in range(8)]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o444}


def test_claim_in_a_pod_takes_the_granted_cores_without_writing(pod: dict[str, str], tmp_path: pathlib.Path) -> None:
    (tmp_path / "cores").chmod(0o555)
    owner = claim(pod)
    assert owner.span == spans.CoreSpan(4, 4)
    assert refusal_line(pod) == "NeuronCore(s) not available - Requested:4 Available:0"
    owner.release()
    assert len(list((tmp_path / "cores").iterdir())) == 4


def test_claim_in_a_pod_never_invents_a_core(pod: dict[str, str], tmp_path: pathlib.Path) -> None:
    wider = pod | {"NEURONSPAN_GRANT": "4-8"}
    assert refusal_line(wider) == "Specified core not accessible! is /dev/neuron2 visible to process?"
    assert not (tmp_path / "cores" / "8.lock").exists()
    assert claim(pod).span == spans.CoreSpan(4, 4)


def test_claim_in_a_pod_without_any_core_finds_no_device(pod: dict[str, str]) -> None:
    assert refusal_line(pod | {"NEURONSPAN_GRANT": "12-15"}) == "No neuron device available"


def test_claim_says_which_file_cannot_be_opened(
    eight: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    claim(eight).release()
    real = os.open

    def refuse_third(path: pathlib.Path, flags: int) -> int:
        if path.name == "3.lock":
            raise OSError(errno.EMFILE, "Too many open files")
        return real(path, flags)

    before = open_files()
    monkeypatch.setattr(os, "open", refuse_third)
    assert refusal_line(eight) == f"Could not open {tmp_path}/cores/3.lock: Too many open files"
    monkeypatch.undo()
    assert open_files() == before
    assert claim(eight).span.count == 8


def test_claim_says_which_file_cannot_be_locked(
    eight: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    before = open_files()
    monkeypatch.setattr(fcntl, "flock", refuse)
    assert refusal_line(eight) == f"Could not lock {tmp_path}/cores: No locks available"
    monkeypatch.undo()
    assert open_files() == before
    assert claim(eight).span.count == 8


def test_claim_says_which_file_cannot_be_made(
    eight: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    def refuse(_path: pathlib.Path, mode: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", mode)

    monkeypatch.setattr(pathlib.Path, "touch", refuse)
    assert refusal_line(eight) == f"Could not make {tmp_path}/cores/0.lock: No space left on device"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV], ids=lambda how: how.name)
def test_cores_are_free_once_their_process_died(how: signal.Signals, eight: dict[str, str]) -> None:
    with core_claimer.Claimer(eight) as other:
        assert other.claim().span == spans.CoreSpan(0, 8)
        assert refusal_line(eight) == "NeuronCore(s) not available - Requested:8 Available:0"
        other.end(how)
    owner = claim(eight)
    assert owner.span.count == 8
    owner.release()


def test_second_process_is_refused_with_the_words_of_the_runtime(eight: dict[str, str]) -> None:
    with core_claimer.claimers(2, eight) as (first, second):
        assert first.claim().span == spans.CoreSpan(0, 8)
        answer = second.claim()
    assert said(answer.refused) == "NeuronCore(s) not available - Requested:8 Available:0"
    assert answer.error.startswith(
        "The PyTorch Neuron Runtime could not be initialized. Neuron Driver issues are logged\n"
    )


def test_racing_processes_get_disjoint_cores_and_none_is_refused_wrongly(eight: dict[str, str]) -> None:
    """Four processes claim two of eight cores again and again: there is always room, so a refusal is a lost race."""
    with core_claimer.claimers(4, eight | {"NEURON_RT_NUM_CORES": "2"}) as racers:
        for racer in racers:
            racer.begin(rounds=100)
        answers = [racer.answer() for racer in racers]
    assert [answer.refused for answer in answers] == [()] * 4
    assert len({core for answer in answers if answer.span for core in answer.span}) == 8


def test_exactly_one_of_two_racing_processes_gets_the_same_cores(eight: dict[str, str]) -> None:
    with core_claimer.claimers(4, eight | {"NEURON_RT_VISIBLE_CORES": "2-5"}) as racers:
        for racer in racers:
            racer.begin()
        answers = [racer.answer() for racer in racers]
    assert [answer.span for answer in answers if answer.span] == [spans.CoreSpan(2, 4)]
    assert {said(answer.refused) for answer in answers if not answer.span} == {
        "NeuronCore(s) not available - Requested:nc2-nc5 Available:0"
    }


# newer Pythons warn of forking beside the threads that an imported library keeps; these children do nothing
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_abandoned_claim_of_a_forked_child_neither_keeps_nor_frees_the_parents_cores(eight: dict[str, str]) -> None:
    owner = claim(eight)
    child = os.fork()
    if child == 0:
        owner.abandon()
        os._exit(0)
    assert os.waitpid(child, 0) == (child, 0)
    assert refusal_line(eight) == "NeuronCore(s) not available - Requested:8 Available:0"
    owner.release()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_release_frees_the_cores_even_when_a_child_still_has_the_files_open(eight: dict[str, str]) -> None:
    owner = claim(eight)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    owner.release()
    again = claim(eight)
    os.close(writer)
    os.close(reader)
    os.waitpid(child, 0)
    assert again.span.count == 8
    again.release()


def test_processes_that_join_cores_differently_never_share_silicon(tmp_path: pathlib.Path) -> None:
    trn2 = {"NEURONSPAN_STATE_DIR": str(tmp_path), "NEURONSPAN_INSTANCE_TYPE": "trn2.3xlarge"}
    single = claim(trn2 | {"NEURON_LOGICAL_NC_CONFIG": "1", "NEURON_RT_VISIBLE_CORES": "3"})
    before = open_files()
    joined = claim(trn2 | {"NEURON_RT_VISIBLE_CORES": "2-3"})
    assert refusal_line(trn2 | {"NEURON_RT_VISIBLE_CORES": "1"}).startswith("Logical Neuron Core(s) not available")
    assert len(open_files() - before) == 4
    single.release()
    assert str(claim(trn2 | {"NEURON_RT_VISIBLE_CORES": "1"}).span) == "1"
    joined.release()


def test_claim_of_busy_logical_cores_is_refused_in_the_words_of_newer_runtimes(tmp_path: pathlib.Path) -> None:
    trn2 = {"NEURONSPAN_STATE_DIR": str(tmp_path), "NEURONSPAN_INSTANCE_TYPE": "trn2.3xlarge"}
    owner = claim(trn2)
    assert refusal_line(trn2) == ("Logical Neuron Core(s) not available - Requested:4 Available:0 Logical Core size 2")
    assert refusal_line(trn2 | {"NEURON_RT_VISIBLE_CORES": "0"}) == (
        "Logical Neuron Core(s) not available - Requested:lnc0-lnc0 Available:0 Logical Core size:2 "
        "(cores busy, ret=-16)"
    )
    owner.release()


def test_two_processes_on_one_chip_coexist_unless_their_cores_overlap(tmp_path: pathlib.Path) -> None:
    """Behaviour of the driver: a device may be shared, a core never."""
    chip = {"NEURONSPAN_STATE_DIR": str(tmp_path), "NEURONSPAN_INSTANCE_TYPE": "inf1.xlarge"}
    with (
        core_claimer.Claimer(chip | {"NEURON_RT_VISIBLE_CORES": "0-1"}) as first,
        core_claimer.Claimer(chip | {"NEURON_RT_VISIBLE_CORES": "2-3"}) as second,
        core_claimer.Claimer(chip | {"NEURON_RT_VISIBLE_CORES": "1-2"}) as third,
    ):
        assert [str(first.claim().span), str(second.claim().span)] == ["0-1", "2-3"]
        answer = third.claim()
    assert said(answer.refused) == "NeuronCore(s) not available - Requested:nc1-nc2 Available:0"


def test_refused_claims_carry_the_status_of_the_runtime(eight: dict[str, str]) -> None:
    owner = claim(eight)
    for variables, status in (
        (eight, nrt_status.NrtStatus.FAILURE),
        (eight | {"NEURON_RT_VISIBLE_CORES": "0,2"}, nrt_status.NrtStatus.INVALID),
    ):
        with pytest.raises(errors.StartRefused) as caught:
            claim(variables)
        assert caught.value.status == status
    owner.release()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_orphan_that_claimed_for_itself_keeps_its_cores(eight: dict[str, str]) -> None:
    """The claim belongs to the process that made it, not to whoever started that process."""
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        orphan = os.fork()
        if orphan == 0:
            owner = claim(eight)
            os.write(writer, f"{os.getpid()} {owner.span}".encode())
            signal.pause()
        os._exit(0)
    os.waitpid(parent, 0)
    child, span = os.read(reader, 64).decode().split()
    try:
        assert span == "0-7"
        assert refusal_line(eight) == "NeuronCore(s) not available - Requested:8 Available:0"
    finally:
        descriptor = os.pidfd_open(int(child))
        os.kill(int(child), signal.SIGKILL)
        select.select([descriptor], [], [])
        os.close(descriptor)
        os.close(reader)
        os.close(writer)
    again = claim(eight)
    assert again.span.count == 8
    again.release()
