"""One pod of a node, from admission to its end: containers in order, restarts, grace.

Law: acts in kubelet's order; how a pod stands is written by ``statuses``, what is started decided by ``launching``.
"""

import asyncio
import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from neuronspan import names
from neuronspan_embedded import reasons
from neuronspan_embedded.kubelet import kubelet as kubelets
from neuronspan_embedded.kubelet import pods
from neuronspan_embedded.processes import launching, process, reports, statuses, volumes

Manifest = dict[str, Any]

_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 300.0
"""Seconds before a container that ended is started again, doubled each time: kubelet's own."""
_PRE_START_PAUSE = 1.0


@dataclasses.dataclass(frozen=True)
class Host:
    """What the pods of a node share."""

    kubelet: kubelets.Kubelet
    reports: reports.Reports
    machine: launching.Machine
    variables: Mapping[str, str]
    """What every process gets beside its own variables: PATH, the place of the runtime's library."""
    directory: pathlib.Path
    logs: Callable[[str, str, str], pathlib.Path]
    say: Callable[[str], None]


class Worker:
    """One pod. ``run`` brings it up and keeps it; ``leave`` ends it."""

    def __init__(self, host: Host, manifest: Manifest) -> None:
        self.manifest = manifest
        self.uid = manifest["metadata"]["uid"]
        self._host = host
        self._started = host.reports.now
        self._known = {each.name: each for each in statuses.containers(manifest["spec"])}
        self._processes: dict[str, process.Process] = {}
        self._directory = host.directory / self.uid
        self._keepers: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Bring the pod up and keep it until all its containers are over."""
        try:
            resolved = self._resolved()
        except launching.CannotLaunch as error:
            for each in self._known.values():
                self._waits(each, error.reason, str(error))
            return
        (pod,) = await self._host.kubelet.admit(resolved)
        if pod.phase is pods.Phase.FAILED:
            self._host.reports.pod_failed(self.manifest, reasons.PodReason.NOT_ADMITTED, pod.message)
            return
        self._host.kubelet.groups.start(self.uid, kubelets.SANDBOX)
        self._tell()
        if await self._initialised():
            await asyncio.gather(*(self._keep(each) for each in self._known.values() if not each.init))
        await self._end_processes(self._grace)
        self._host.kubelet.finish(self.uid)
        self._tell()

    async def leave(self, grace_seconds: float) -> None:
        """End what runs, and forget the pod."""
        await self._end_processes(grace_seconds)
        if self.uid in self._host.kubelet.pods:
            self._tell()
            self._host.kubelet.delete(self.uid)

    # --- containers ----------------------------------------------------------------------------------------------

    async def _initialised(self) -> bool:
        """Run the init containers in order; False when one failed for good."""
        for each in self._known.values():
            if each.sidecar:
                self._keepers.append(asyncio.create_task(self._keep(each)))
                while not each.is_running:
                    await self._host.kubelet.changed.beyond(self._host.kubelet.changed.version)
            elif each.init:
                await self._keep(each)
                if each.exit_code:
                    return False
        for each in self._known.values():
            if not each.init:
                each.reason = "ContainerCreating"
        return True

    async def _keep(self, state: statuses.Container) -> None:
        """Start a container, and again when it ended and its policy says so."""
        pause = _FIRST_PAUSE
        while True:
            running = await self._start(state)
            if running is None:
                return
            code = await running.ended()
            self._over(state, code)
            if not self._again(state, code):
                return
            state.last, state.restarts = state.terminated(), state.restarts + 1
            words = f"back-off {pause:g}s restarting failed container={state.name}"
            self._waits(state, reasons.ContainerReason.BACK_OFF, words)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _start(self, state: statuses.Container) -> process.Process | None:
        """Start a container, after the plugin let it; None when this machine cannot run it."""
        while True:
            try:
                await self._host.kubelet.start_container(self.uid, state.name)
                break
            except kubelets.PreStartFailed as error:
                self._waits(state, reasons.ContainerReason.PRE_START_HOOK, str(error))
                await asyncio.sleep(_PRE_START_PAUSE)
        metadata = self.manifest["metadata"]
        log = self._host.logs(metadata["namespace"], metadata["name"], state.name)
        try:
            wanted = self._launch(state)
            running = await process.Process.start(wanted, log)
        except launching.CannotLaunch as error:
            self._host.kubelet.groups.end(self.uid, state.name)
            self._host.reports.tell(self.manifest, "Warning", error.reason, str(error))
            self._host.say(f"pod {metadata['name']}, container {state.name}: {error}")
            self._waits(state, error.reason, str(error))
            return None
        if wanted.note and not state.restarts:
            self._host.reports.tell(self.manifest, "Normal", reasons.ContainerReason.IMAGE_REPLACED, wanted.note)
            self._host.say(f"pod {metadata['name']}, container {state.name}: {wanted.note}")
        self._processes[state.name] = running
        state.pid, state.started, state.reason, state.message = running.pid, self._host.reports.now, "", ""
        state.exit_code = None
        self._tell()
        return running

    def _launch(self, state: statuses.Container) -> launching.Launch:
        spec = self.manifest["spec"]
        raw = next(
            each for each in (*(spec.get("initContainers") or ()), *spec["containers"]) if each["name"] == state.name
        )
        given = self._host.kubelet.created(self.uid, state.name)
        home = self._directory / "home" / state.name
        home.mkdir(parents=True, exist_ok=True)
        own = {"HOME": str(home), "HOSTNAME": self.manifest["metadata"]["name"]}
        variables = {**self._host.variables, **own, **given.environment}
        mounts = volumes.mounts(raw, self._directory / "volumes", tuple(spec.get("volumes") or ()))
        return launching.launch(raw, self._host.machine, variables, mounts, str(home))

    def _again(self, state: statuses.Container, code: int) -> bool:
        policy = "Always" if state.sidecar else self.manifest["spec"].get("restartPolicy", "Always")
        if state.init and not state.sidecar and code == 0:
            return False
        return policy == "Always" or (policy == "OnFailure" and code != 0)

    async def _end_processes(self, grace_seconds: float) -> None:
        """End all processes, sidecars after the others."""
        for task in self._keepers:
            task.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for sidecars in (False, True):
            chosen = [each for each in self._known.values() if each.sidecar is sidecars and each.is_running]
            codes = await asyncio.gather(*(self._processes[each.name].end(grace_seconds) for each in chosen))
            for each, code in zip(chosen, codes, strict=True):
                self._over(each, code)

    def _over(self, state: statuses.Container, code: int) -> None:
        self._processes.pop(state.name, None)
        state.pid, state.exit_code, state.finished, state.reason = 0, code, self._host.reports.now, ""
        self._host.kubelet.groups.end(self.uid, state.name)
        self._tell()

    # --- telling -------------------------------------------------------------------------------------------------

    @property
    def _grace(self) -> float:
        return float(self.manifest["spec"].get("terminationGracePeriodSeconds", 30))

    def _waits(self, state: statuses.Container, reason: str, message: str) -> None:
        state.reason, state.message = reason, message
        self._tell()

    def _tell(self) -> None:
        self._host.reports.pod_stands(self.manifest, list(self._known.values()), self._started)
        self._host.kubelet.changed.raised()

    def _resolved(self) -> Manifest:
        """Make the volumes, and return the manifest with the values of all variables; raises CannotLaunch."""
        spec, namespace = self.manifest["spec"], self.manifest["metadata"]["namespace"]
        volumes.make(
            spec,
            self._directory / "volumes",
            lambda kind, name: self._host.reports.source(namespace, kind, name),
        )
        named = {
            field: [
                {**each, "env": self._host.reports.variables(self.manifest, each)} for each in spec.get(field) or ()
            ]
            for field in ("initContainers", "containers")
        }
        return {**self.manifest, "spec": {**spec, **named}}


def capacity(kubelet: kubelets.Kubelet) -> dict[str, str]:
    """Return what a node has: of Neuron what the plugin registered, of everything else more than is asked for."""
    neuron = {each: str(kubelet.allocatable(each)) for each in names.RESOURCES}
    return {"cpu": "192", "memory": "2Ti", "ephemeral-storage": "1Ti", "pods": "110", **neuron}
