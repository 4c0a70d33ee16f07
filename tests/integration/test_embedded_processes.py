"""Pods as processes: a worker with the embedded kubelet, the API server's calls, and programs of this machine."""

import asyncio
import contextlib
import os
import pathlib
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from kits.embedded import cluster as embedded
from neuronspan_embedded.kubelet import kubelet as kubelets
from neuronspan_embedded.processes import launching, process, reports, worker

Manifest = dict[str, Any]


class Rig:
    """One node without a plugin, and its cluster."""

    def __init__(self, root: pathlib.Path, kubelet: kubelets.Kubelet) -> None:
        self.root = root
        self.cluster = embedded.Embedded()
        self.said: list[str] = []
        told = reports.Reports(self.cluster.calls, "w1")
        machine = launching.Machine(sys.executable, shutil.which)
        variables = {"PATH": os.defpath}
        self.host = worker.Host(kubelet, told, machine, variables, root / "pods", self.log, self.said.append)

    def log(self, namespace: str, pod: str, container: str) -> pathlib.Path:
        """Return the file of what a container printed."""
        return self.root / "logs" / namespace / pod / f"{container}.log"

    def worker(self, *containers: Manifest, init: tuple[Manifest, ...] = (), **spec: Any) -> worker.Worker:
        """Return the worker of a pod that is bound here."""
        manifest = {
            "metadata": {"name": "web"},
            "spec": {"nodeName": "w1", "containers": list(containers), "initContainers": list(init), **spec},
        }
        return worker.Worker(self.host, self.cluster.create("pods", manifest))

    @property
    def status(self) -> Manifest:
        """The pod's status."""
        found: Manifest = self.cluster.get("pods", "web")["status"]
        return found

    def printed(self, container: str = "app") -> str:
        """Return what a container printed."""
        return self.log("default", "web", container).read_text()

    async def until(self, phase: str) -> None:
        """Wait until the pod has this phase."""
        async with asyncio.timeout(60):
            while self.status["phase"] != phase:
                await self.host.kubelet.changed.beyond(self.host.kubelet.changed.version)


def sh(script: str, name: str = "app", **fields: Any) -> Manifest:
    return {"name": name, "image": "busybox", "command": ["sh", "-c", script], **fields}


@pytest.fixture
def short() -> Iterator[pathlib.Path]:
    """A directory with a path that is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="ns-") as made:
        yield pathlib.Path(made)


@pytest.fixture
async def rig(short: pathlib.Path) -> AsyncIterator[Rig]:
    async with kubelets.running(short) as kubelet:
        yield Rig(short, kubelet)


def _is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b") Z " not in pathlib.Path(f"/proc/{pid}/stat").read_bytes()
    return False


async def _until(condition: Callable[[], bool]) -> None:
    """Wait for what happens in another process; fails when it never does."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.02)


async def test_containers_run_in_order_and_a_sidecar_beside_them_until_they_are_over(rig: Rig) -> None:
    mount = [{"name": "v", "mountPath": "/v"}]
    init = (
        sh("echo first >> /v/order", "first", volumeMounts=mount),
        sh("echo sidecar >> /v/order; exec sleep 1000", "side", volumeMounts=mount, restartPolicy="Always"),
    )
    app = sh("while ! grep -q sidecar /v/order; do sleep 0.05; done; cat /v/order", volumeMounts=mount)
    await rig.worker(app, init=init, restartPolicy="Never", volumes=[{"name": "v", "emptyDir": {}}]).run()
    assert rig.printed() == "first\nsidecar\n"
    assert rig.status["phase"] == "Succeeded"
    assert [each["state"]["terminated"]["exitCode"] for each in rig.status["containerStatuses"]] == [0]
    first, side = rig.status["initContainerStatuses"]
    assert first["state"]["terminated"]["exitCode"] == 0
    assert "terminated" in side["state"]


async def test_init_container_that_fails_for_good_is_the_end_of_the_pod(rig: Rig) -> None:
    await rig.worker(sh("echo never"), init=(sh("exit 3", "first"),), restartPolicy="Never").run()
    assert rig.status["phase"] == "Failed"
    assert rig.status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
    assert not rig.log("default", "web", "app").exists()


async def test_container_that_fails_is_started_again_and_counted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_FIRST_PAUSE", 0.01)
    script = 'echo again; if [ "$(grep -c again /l/app.log)" -lt 3 ]; then exit 7; fi'
    logs = {"name": "l", "hostPath": {"path": str(rig.root)}}
    mounted = [{"name": "l", "mountPath": "/l", "subPath": "logs/default/web"}]
    await rig.worker(sh(script, volumeMounts=mounted), restartPolicy="OnFailure", volumes=[logs]).run()
    (status,) = rig.status["containerStatuses"]
    assert (rig.status["phase"], status["restartCount"]) == ("Succeeded", 2)
    assert status["lastState"]["terminated"]["exitCode"] == 7


async def test_pod_that_leaves_is_asked_first_and_then_killed_with_all_that_it_started(rig: Rig) -> None:
    leaving = rig.worker(
        sh("trap 'echo asked' TERM; sleep 1000 & echo $!; while true; do sleep 0.05; done"),
        sh("trap 'exit 0' TERM; while true; do sleep 0.05; done", "polite"),
    )
    running = asyncio.create_task(leaving.run())
    await rig.until("Running")
    await _until(lambda: rig.log("default", "web", "app").exists() and rig.printed().endswith("\n"))
    child = int(rig.printed().split()[0])
    assert _is_alive(child)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await leaving.leave(1.0)
    assert "asked" in rig.printed()
    await _until(lambda: not _is_alive(child))
    codes = {each["name"]: each["state"]["terminated"]["exitCode"] for each in rig.status["containerStatuses"]}
    assert codes == {"app": 137, "polite": 0}


async def test_pod_that_cannot_be_run_here_says_why_in_its_status(rig: Rig) -> None:
    await rig.worker({"name": "app", "image": "nginx"}).run()
    waiting = rig.status["containerStatuses"][0]["state"]["waiting"]
    assert (waiting["reason"], "give command" in waiting["message"]) == ("ImageNotRunnable", True)
    assert [each["reason"] for each in rig.cluster.all("events")] == ["ImageNotRunnable"]


async def test_volume_without_its_source_keeps_the_pod_from_starting(rig: Rig) -> None:
    await rig.worker(sh("true"), volumes=[{"name": "v", "configMap": {"name": "words"}}]).run()
    waiting = rig.status["containerStatuses"][0]["state"]["waiting"]
    assert waiting == {"reason": "CreateContainerConfigError", "message": 'configmap "words" not found'}


async def test_program_that_is_replaced_is_told_once(rig: Rig) -> None:
    await rig.worker(sh("exit 0"), restartPolicy="Never").run()
    (said,) = rig.said
    assert "image busybox is not used" in said


async def test_variables_with_any_bytes_reach_the_process(rig: Rig) -> None:
    rig.cluster.create("secrets", {"metadata": {"name": "s"}, "data": {"raw": "/w==", "word": "aGk="}})
    source = {"name": "RAW", "valueFrom": {"secretKeyRef": {"name": "s", "key": "raw"}}}
    fields: dict[str, Any] = {"envFrom": [{"secretRef": {"name": "s"}, "prefix": "S_"}], "env": [source]}
    await rig.worker(sh('printf %s "$RAW$S_word" | od -An -tx1', **fields), restartPolicy="Never").run()
    assert rig.printed().split() == ["ff", "68", "69"]


async def test_process_that_cannot_be_started_is_refused_in_words(tmp_path: pathlib.Path) -> None:
    for arguments in (("/nowhere/program",), ("/bin/sh", "a\0b")):
        wanted = launching.Launch(arguments, {}, str(tmp_path))
        with pytest.raises(launching.CannotLaunch) as refused:
            await process.Process.start(wanted, tmp_path / "log")
        assert refused.value.reason == "RunContainerError"


async def test_what_a_process_leaves_behind_in_its_group_ends_with_it(tmp_path: pathlib.Path) -> None:
    script = "sleep 1000 & echo $!; kill -9 $$"
    wanted = launching.Launch(("/bin/sh", "-c", script), {"PATH": os.defpath}, str(tmp_path))
    running = await process.Process.start(wanted, tmp_path / "log")
    assert await running.ended() == 137
    left = int((tmp_path / "log").read_text())
    await _until(lambda: not _is_alive(left))
