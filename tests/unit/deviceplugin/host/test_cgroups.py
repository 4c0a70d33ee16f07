"""Whether a pod has processes left: what is proof, and what is only not seeing."""

import errno
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping

import pytest

from neuronspan_deviceplugin.host import cgroups
from neuronspan_embedded.kubelet import pods

UID = "0f8e6c1a-1c1e-4c7e-9b57-0d5a4f6f2a11"


@pytest.fixture(params=list(pods.Layout))
def groups(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> pods.ControlGroups:
    return pods.ControlGroups(tmp_path / "cgroup", request.param)


def test_pod_with_a_process_lives_until_the_last_one_ended(groups: pods.ControlGroups) -> None:
    processes = cgroups.PodProcesses(groups.root)
    groups.start(UID, "sandbox")
    groups.start(UID, "app")
    assert processes.look([UID]) == {UID: True}
    groups.end(UID, "app")
    assert processes.look([UID]) == {UID: True}
    groups.end(UID, "sandbox")
    assert processes.look([UID]) == {UID: False}
    groups.end_all(UID)
    assert processes.look([UID]) == {UID: False}


def test_pods_are_not_mixed_up(groups: pods.ControlGroups) -> None:
    groups.start(UID, "app")
    other = UID.replace("0f8e", "1f8e")
    assert cgroups.PodProcesses(groups.root).look([UID, other, UID[:-1]]) == {UID: True, other: False, UID[:-1]: False}


def test_static_pods_uid_without_dashes_is_found(groups: pods.ControlGroups) -> None:
    uid = "4f6d2a8c91e34ffab0ab52ba7f7b8c77"
    groups.start(uid, "app")
    assert cgroups.PodProcesses(groups.root).look([uid]) == {uid: True}


def test_missing_tree_is_not_seeing(tmp_path: pathlib.Path) -> None:
    (tmp_path / "system.slice").mkdir()
    processes = cgroups.PodProcesses(tmp_path)
    assert not processes.visible()
    assert processes.look([UID]) == {UID: None}


def test_tree_that_appears_or_moves_is_found_again(tmp_path: pathlib.Path) -> None:
    processes = cgroups.PodProcesses(tmp_path / "cgroup")
    assert not processes.visible()
    groups = pods.ControlGroups(tmp_path / "cgroup", pods.Layout.V2_CGROUPFS)
    groups.start(UID, "app")
    assert processes.look([UID]) == {UID: True}
    (groups.root / "kubepods").rename(groups.root / "later-kubepods")
    assert processes.look([UID]) == {UID: True}


def test_list_of_processes_is_no_evidence(groups: pods.ControlGroups) -> None:
    """Read from the plugin's own PID namespace it leaves out what the kernel counts (v1), or lists it as 0 (v2)."""
    groups.start(UID, "app")
    for path in groups.root.rglob("cgroup.procs"):
        path.write_text("")
    assert cgroups.PodProcesses(groups.root).look([UID]) == {UID: True}


def test_group_without_a_count_is_not_seeing(groups: pods.ControlGroups) -> None:
    groups.folder(UID).mkdir()
    assert cgroups.PodProcesses(groups.root).look([UID]) == {UID: None}


@pytest.mark.parametrize("content", [b"", b"frozen 0\n"], ids=["empty", "of something else"])
def test_count_that_says_nothing_is_not_seeing(groups: pods.ControlGroups, content: bytes) -> None:
    groups.start(UID, "app")
    for name in ("cgroup.events", "pids.current"):
        for path in groups.root.rglob(name):
            path.write_bytes(content)
    assert cgroups.PodProcesses(groups.root).look([UID]) == {UID: None}


def test_tree_that_goes_away_while_it_is_walked_is_not_seeing(
    monkeypatch: pytest.MonkeyPatch, groups: pods.ControlGroups
) -> None:
    groups.start(UID, "app")
    processes = cgroups.PodProcesses(groups.root)
    assert processes.look([UID]) == {UID: True}
    walk = cgroups._groups_of

    def moved_before_the_walk(trees: Iterable[str], wanted: Mapping[str, str]) -> dict[str, list[str]]:
        groups.root.rename(groups.root.with_name("elsewhere"))
        return walk(trees, wanted)

    monkeypatch.setattr(cgroups, "_groups_of", moved_before_the_walk)
    assert processes.look([UID]) == {UID: None}


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO], ids=["not allowed", "broken"])
def test_count_that_cannot_be_read_is_not_seeing(
    monkeypatch: pytest.MonkeyPatch, groups: pods.ControlGroups, code: int
) -> None:
    groups.start(UID, "app")
    groups.end(UID, "app")
    monkeypatch.setattr(os, "read", _failing(code))
    assert cgroups.PodProcesses(groups.root).look([UID]) == {UID: None}


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO], ids=["not allowed", "broken"])
def test_level_above_the_pods_that_cannot_be_listed_is_not_seeing(
    monkeypatch: pytest.MonkeyPatch, groups: pods.ControlGroups, code: int
) -> None:
    """The pod's group may be in it: that it was not found proves nothing."""
    groups.start(UID, "app")
    processes = cgroups.PodProcesses(groups.root)
    assert processes.look([UID]) == {UID: True}
    monkeypatch.setattr(os, "scandir", _failing(code))
    assert processes.look([UID]) == {UID: None}


def test_level_above_the_pods_that_ended_meanwhile_is_proof(
    monkeypatch: pytest.MonkeyPatch, groups: pods.ControlGroups
) -> None:
    groups.start(UID, "app")
    processes = cgroups.PodProcesses(groups.root)
    assert processes.look([UID]) == {UID: True}
    monkeypatch.setattr(os, "scandir", _failing(errno.ENOENT))
    assert processes.look([UID]) == {UID: False}


def test_group_that_ends_while_its_count_is_read_is_proof(
    monkeypatch: pytest.MonkeyPatch, groups: pods.ControlGroups
) -> None:
    groups.start(UID, "app")

    def ending(*_: object) -> bytes:
        groups.end_all(UID)
        raise OSError(errno.ENODEV, "no such device")

    monkeypatch.setattr(os, "read", ending)
    assert cgroups.PodProcesses(groups.root).look([UID]) == {UID: False}


def _failing(code: int) -> Callable[..., bytes]:
    def fail(*_: object) -> bytes:
        raise OSError(code, "told to fail")

    return fail
