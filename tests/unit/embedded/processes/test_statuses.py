"""What is written into a pod's status."""

import pytest

from neuronspan_embedded.processes import statuses

SPEC = {"initContainers": [{"name": "first"}], "containers": [{"name": "app"}]}


def over(state: statuses.Container, code: int) -> None:
    state.reason, state.exit_code = "", code


def test_pod_is_pending_until_a_container_of_its_own_runs() -> None:
    known = statuses.containers(SPEC)
    over(known[0], 0)
    assert statuses.phase(known) == "Pending"
    known[1].pid, known[1].reason = 7, ""
    assert statuses.phase(known) == "Running"


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (3, "Failed")])
def test_phase_of_a_pod_that_is_over_follows_its_exit_code(code: int, phase: str) -> None:
    known = statuses.containers(SPEC)
    over(known[0], 0)
    over(known[1], code)
    assert statuses.phase(known) == phase


def test_pod_fails_when_an_init_container_failed() -> None:
    known = statuses.containers(SPEC)
    over(known[0], 1)
    assert statuses.phase(known) == "Failed"


def test_condition_keeps_its_time_while_it_holds() -> None:
    before = [{"type": "Ready", "status": "False", "lastTransitionTime": "then"}]
    status = statuses.status(statuses.containers(SPEC), "now", "then", before)
    times = {each["type"]: each["lastTransitionTime"] for each in status["conditions"]}
    assert times == {"Initialized": "now", "ContainersReady": "now", "Ready": "then"}
