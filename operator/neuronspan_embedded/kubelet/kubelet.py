"""A kubelet in the running loop: real gRPC on real sockets, real files, and the device manager's real decisions.

It admits pods one after another, starts their containers (PreStartContainer first), restarts, forgets force-deleted
pods at once while their processes live on, and keeps a tree of control groups on disk.
"""

import asyncio
import pathlib
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio

from neuronspan_agent import signals
from neuronspan_deviceplugin.api import deviceplugin_pb2_grpc, podresources_pb2_grpc
from neuronspan_embedded.kubelet import devices as device_manager
from neuronspan_embedded.kubelet import files, plugins, pods, resources, runtime

PATIENCE = 30.0
"""Seconds that ``until`` waits at most; everything takes milliseconds."""
SANDBOX = "sandbox"

AdmissionFailed = device_manager.AdmissionFailed
PreStartFailed = plugins.PreStartFailed


class Kubelet:
    """One node's kubelet below ``root``; ``changed`` is raised with everything that happens."""

    def __init__(self, root: pathlib.Path, *, seed: int = 0, layout: pods.Layout = pods.Layout.V2_SYSTEMD) -> None:
        self.directory = root / "device-plugins"
        self.pod_resources_socket = root / "pod-resources" / "kubelet.sock"
        self.cdi = root / "cdi"
        self.groups = pods.ControlGroups(root / "cgroup", layout)
        self.changed = signals.Signal()
        self.pods: dict[str, pods.Pod] = {}
        self.manifests: dict[str, Mapping[str, Any]] = {}
        self.resources = resources.PodResources(lambda: self.manager, self.pods.values)
        self._chance = random.Random(seed)  # noqa: S311 - a seed makes a run repeatable
        self._admission = asyncio.Lock()
        self._servers: list[grpc.aio.Server] = []
        for folder in (self.directory, self.pod_resources_socket.parent):
            folder.mkdir(parents=True)
        self._new_process()

    # --- the process ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Read the checkpoint, remove the sockets there are, and serve."""
        self._new_process()
        self.manager.restore(*files.load(self.directory))
        for folder in (self.directory, self.pod_resources_socket.parent):
            files.remove_sockets(folder)
        registration, pod_resources = grpc.aio.server(), grpc.aio.server()
        deviceplugin_pb2_grpc.add_RegistrationServicer_to_server(self.registration, registration)  # type: ignore[no-untyped-call]
        podresources_pb2_grpc.add_PodResourcesListerServicer_to_server(self.resources, pod_resources)  # type: ignore[no-untyped-call]
        pod_resources.add_insecure_port(f"unix://{self.pod_resources_socket}")
        registration.add_insecure_port(f"unix://{self.directory / 'kubelet.sock'}")
        self._servers = [pod_resources, registration]
        for server in self._servers:
            await server.start()

    async def stop(self) -> None:
        """End the process: containers go on. Its sockets close first, so that no plugin registers with it any more."""
        for server in self._servers:
            await server.stop(grace=None)
        self._servers = []
        await self.registration.stop()

    async def restart(self) -> None:
        """Stop and start."""
        await self.stop()
        await self.start()
        self.changed.raised()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until it holds; raises TimeoutError when it never does."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await self.changed.beyond(self.changed.version)

    # --- what is seen from outside -------------------------------------------------------------------------------

    def allocatable(self, resource: str) -> int:
        """Return the node's allocatable of the resource."""
        return len(self.manager.healthy.get(resource, ()))

    def ids(self, uid: str, container: str, resource: str) -> frozenset[str]:
        """Return the container's device IDs, none when it has none."""
        return self.manager.devices(uid, container, resource) or frozenset()

    def created(self, uid: str, container: str) -> runtime.Created:
        """Return the container as its process sees it."""
        given = self.manager.given.get(uid, {}).get(container, {})  # of one that asks for nothing: nothing
        return runtime.create((each.response for each in given.values()), self._environment(uid, container), self.cdi)

    # --- pods ----------------------------------------------------------------------------------------------------

    async def admit(self, *manifests: Mapping[str, Any]) -> list[pods.Pod]:
        """Add pods that arrive together: sorted by creation, then one after another, as HandlePodAdditions does."""
        batch = sorted((pods.read(each) for each in manifests), key=lambda pod: pod.created)
        self.manifests |= {each["metadata"]["uid"]: each for each in manifests}
        for pod in batch:
            async with self._admission:
                self.pods[pod.uid] = pod
                await self._admit(pod)
                self.changed.raised()
        return batch

    async def readmit(self) -> None:
        """Admit the pods again that are there, as a kubelet does after its start, once it has heard of them.

        Containers that run are passed over (devicesToAllocate in manager.go: only then all their devices are there for
        sure). Of all others the devices must be listed and healthy, or the pod fails.
        """
        for pod in [each for each in self.pods.values() if each.phase is pods.Phase.ADMITTED]:
            async with self._admission:
                await self._admit(pod, frozenset(self.groups.processes(pod.uid)))
        self.changed.raised()

    async def start_pod(self, uid: str) -> None:
        """Start the sandbox, then every container in order; plain init containers end. Raises PreStartFailed."""
        self.groups.start(uid, SANDBOX)
        for container in self.pods[uid].containers:
            await self.start_container(uid, container.name)
            if container.plain_init:
                self.groups.end(uid, container.name)

    async def start_container(self, uid: str, name: str) -> None:
        """Start or restart one container, asking the plugin first; raises PreStartFailed."""
        pod = self.pods[uid]
        for resource in pod.container(name).limits:
            await self._pre_start(pod, name, resource)
        self.groups.start(uid, name)
        self.changed.raised()

    async def run(self, *manifests: Mapping[str, Any]) -> list[pods.Pod]:
        """Admit pods and start those that are admitted."""
        admitted = await self.admit(*manifests)
        for each in admitted:
            if each.phase is pods.Phase.ADMITTED:
                await self.start_pod(each.uid)
        return admitted

    def finish(self, uid: str) -> None:
        """End all containers: the pod is over, its object stays."""
        self.groups.end_all(uid)
        self.pods[uid].phase = pods.Phase.TERMINATED
        self.changed.raised()

    def delete(self, uid: str) -> None:
        """Delete the pod gracefully: processes first, then kubelet forgets it."""
        self.finish(uid)
        del self.pods[uid]

    def force_delete(self, uid: str) -> None:
        """Take the object away: kubelet forgets the pod and its devices at once, the processes live on."""
        del self.pods[uid]
        self.manager.update_allocated()
        self.changed.raised()

    def kill(self, uid: str) -> None:
        """End the processes of a pod that was force-deleted."""
        self.groups.end_all(uid)
        self.changed.raised()

    # --- inside --------------------------------------------------------------------------------------------------

    def _new_process(self) -> None:
        self.manager = device_manager.DeviceManager(
            lambda: (each for each in self.pods.values() if each.active),
            lambda: files.save(self.directory, self.manager),
            self._chance,
        )
        self.registration = plugins.Registration(self.directory, self.manager, self.changed.raised)

    async def _admit(self, pod: pods.Pod, running: frozenset[str] = frozenset()) -> None:
        try:
            for container in pod.containers:
                if container.name not in running:
                    await self.manager.allocate(pod, container)
        except AdmissionFailed as error:
            pod.phase, pod.message = pods.Phase.FAILED, f"UnexpectedAdmissionError: {error}"
        else:
            pod.phase = pods.Phase.ADMITTED

    async def _pre_start(self, pod: pods.Pod, container: str, resource: str) -> None:
        """Ask the plugin; not after a restart of kubelet until it registered again, as in the real one."""
        client = self.manager.plugins.get(resource)
        if client is None:
            return
        if client.stopped:
            raise PreStartFailed(f"endpoint for {resource} is stopped")
        ids = self.manager.devices(pod.uid, container, resource)
        if ids is None:
            raise PreStartFailed(f"no devices found allocated in local cache for pod {pod.uid}")
        await client.pre_start(sorted(ids))

    def _environment(self, uid: str, name: str) -> dict[str, str]:
        spec = self.manifests[uid]["spec"]
        containers: Iterable[Mapping[str, Any]] = (*spec.get("initContainers", ()), *spec["containers"])
        return {each["name"]: each["value"] for one in containers if one["name"] == name for each in one.get("env", ())}


@asynccontextmanager
async def running(
    root: pathlib.Path, *, seed: int = 0, layout: pods.Layout = pods.Layout.V2_SYSTEMD
) -> AsyncIterator[Kubelet]:
    """Return a kubelet that serves; it is stopped at the end."""
    kubelet = Kubelet(root, seed=seed, layout=layout)
    await kubelet.start()
    try:
        yield kubelet
    finally:
        await kubelet.stop()
