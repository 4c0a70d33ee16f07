"""When a command in a container is tried again."""

import pytest

from cluster import errors
from kits.release import cluster_access

CRASHED = (
    "error: Internal error occurred: error executing command in container: failed to exec in container: failed to "
    'start exec "0d1f": OCI runtime exec failed: exec failed: unable to start container process: read init-p: '
    "connection reset by peer: unknown"
)
REFUSED = CRASHED.replace("read init-p: connection reset by peer", "{}")


@pytest.mark.parametrize(
    ("complaint", "never_started"),
    [
        pytest.param(CRASHED, True, id="runc lost its child"),
        pytest.param(REFUSED.format("error executing setns process: exit status 1"), True, id="setns"),
        pytest.param("error: starting setns process caused: exit status 2", True, id="setns in older words"),
        pytest.param(REFUSED.format('exec: "x": executable file not found in $PATH'), False, id="no such command"),
        pytest.param(REFUSED.format("exec /x: no such file or directory"), False, id="no such file"),
        pytest.param(REFUSED.format("exec /x: permission denied"), False, id="not executable"),
        pytest.param(f"{CRASHED}\ncommand terminated with exit code 1", False, id="printed by a command that ran"),
        pytest.param("command terminated with exit code 137", False, id="killed"),
        pytest.param('Error from server (NotFound): pods "x" not found', False, id="no such pod"),
        pytest.param("", False, id="out of time"),
    ],
)
def test_only_a_command_that_never_started_is_tried_again(complaint: str, *, never_started: bool) -> None:
    assert cluster_access.was_never_started(complaint) is never_started


class _Kubectl:
    """Fails with these words, one per call, then answers."""

    def __init__(self, *complaints: str) -> None:
        self.complaints = list(complaints)
        self.calls: list[tuple[str, ...]] = []

    def __call__(self, *words: str) -> str:
        self.calls.append(words)
        if self.complaints:
            raise errors.CommandFailed("kubectl exec", 1, self.complaints.pop(0))
        return "done"


@pytest.fixture
def cluster() -> cluster_access.Cluster:
    return cluster_access.Cluster("not-there")


def _execute(cluster: cluster_access.Cluster, monkeypatch: pytest.MonkeyPatch, kubectl: _Kubectl) -> str:
    monkeypatch.setattr(cluster, "kubectl", kubectl)
    return cluster.execute("default", "web", "true", container="app")


def test_execute_answers_after_two_failed_starts(
    cluster: cluster_access.Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubectl = _Kubectl(CRASHED, CRASHED)
    assert _execute(cluster, monkeypatch, kubectl) == "done"
    assert kubectl.calls == [("exec", "--namespace", "default", "web", "--container", "app", "--", "true")] * 3


@pytest.mark.parametrize(
    ("complaints", "calls"), [([CRASHED] * 4, 3), (["command terminated with exit code 1"], 1)], ids=["thrice", "ran"]
)
def test_execute_fails_with_the_runtimes_words(
    cluster: cluster_access.Cluster, monkeypatch: pytest.MonkeyPatch, complaints: list[str], calls: int
) -> None:
    kubectl = _Kubectl(*complaints)
    with pytest.raises(errors.CommandFailed, match=r"connection reset|exit code 1"):
        _execute(cluster, monkeypatch, kubectl)
    assert len(kubectl.calls) == calls
