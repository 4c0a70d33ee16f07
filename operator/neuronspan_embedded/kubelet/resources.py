"""A kubelet's PodResources API, over real gRPC. A port of pkg/kubelet/apis/podresources/server_v1.go, v1.36."""

from collections.abc import Callable, Iterable
from typing import Any

import grpc
import grpc.aio

from neuronspan import names
from neuronspan_deviceplugin.api import podresources_pb2 as api
from neuronspan_deviceplugin.api import podresources_pb2_grpc as api_grpc
from neuronspan_embedded.kubelet import devices as device_manager
from neuronspan_embedded.kubelet import pods

Context = grpc.aio.ServicerContext[Any, Any]


class PodResources(api_grpc.PodResourcesListerServicer):
    """List: active pods, and a clean-up; Get: any pod of the pod manager by name, without one."""

    def __init__(
        self, manager: Callable[[], device_manager.DeviceManager], known: Callable[[], Iterable[pods.Pod]]
    ) -> None:
        self.lists = 0
        self.failing: grpc.StatusCode | None = None
        """While set, every call fails with this code."""
        self._manager = manager
        self._known = known

    async def List(  # noqa: N802 - the API's name
        self,
        request: api.ListPodResourcesRequest,  # noqa: ARG002
        context: Context,
    ) -> api.ListPodResourcesResponse:
        """Return what active pods have, after forgetting the pods that are not."""
        await self._fail_if_told(context)
        self.lists += 1
        active = [each for each in self._known() if each.active]
        self._manager().update_allocated()
        return api.ListPodResourcesResponse(pod_resources=[self._pod(each) for each in active])

    async def Get(  # noqa: N802 - the API's name
        self, request: api.GetPodResourcesRequest, context: Context
    ) -> api.GetPodResourcesResponse:
        """Return what one pod has; aborts when it is not known."""
        await self._fail_if_told(context)
        wanted = (request.pod_namespace, request.pod_name)
        found = [each for each in self._known() if (each.namespace, each.name) == wanted]
        if not found:
            words = f"pod {request.pod_name} in namespace {request.pod_namespace} not found"
            await context.abort(grpc.StatusCode.UNKNOWN, words)
        return api.GetPodResourcesResponse(pod_resources=self._pod(found[0]))

    async def _fail_if_told(self, context: Context) -> None:
        if self.failing is not None:
            await context.abort(self.failing, "told to fail")

    def _pod(self, pod: pods.Pod) -> api.PodResources:
        listed = [self._container(pod, each) for each in pod.containers if not each.plain_init]
        return api.PodResources(name=pod.name, namespace=pod.namespace, containers=listed)

    def _container(self, pod: pods.Pod, container: pods.Container) -> api.ContainerResources:
        ids = {each: self._manager().devices(pod.uid, container.name, each) for each in names.RESOURCES}
        return api.ContainerResources(
            name=container.name,
            devices=[
                api.ContainerDevices(resource_name=each, device_ids=found) for each, found in ids.items() if found
            ],
        )
