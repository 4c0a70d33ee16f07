"""Lets a container start as soon as its witnesses agree, waiting a little for it.

Law: kubelet's record, the ledger and PodResources say who has the cores. The first two must name the same pod, and no
process of a former holder may be left. Our own record stands in for kubelet's while that cannot be read, and for the
ledger while that is unknown and the pod started on these cores before; the pod is then not looked up in PodResources.
PodResources can only contradict: while it is silent, two witnesses of three suffice.
Last, and in one step with a new look at the processes, the pod gets lock files of its own.
What does not settle in time is left to kubelet, which asks again by itself.
"""

import logging
from collections.abc import Collection

from neuronspan_agent import logs
from neuronspan_deviceplugin import errors, reasons
from neuronspan_deviceplugin.kubelet.device_plugin import services

_log = logging.getLogger(__name__)


async def let_start(shared: services.Services, resource: str, ids: frozenset[str]) -> None:
    """Check again and again until the start is right or the time is up; raises NotYet."""
    manager = shared.manager
    deadline = shared.clock() + shared.start_wait_seconds
    while True:
        version = manager.changed.version
        alive = await shared.node.refresh_record()
        try:
            holder, grant = manager.check_start(resource, ids, alive)
            if grant is not None:
                await _confirm(shared, resource, ids, grant.namespace, grant.pod, holder.containers)
            manager.start(resource, ids)
        except errors.NotYet:
            left = deadline - shared.clock()
            if left <= 0:
                raise
            await manager.changed.beyond_within(version, min(left, shared.poll_seconds))
        else:
            whose = logs.of_grant(grant) if grant else {"pod_uid": holder.pod_uid}
            _log.info("start approved", extra={"resource": resource, **whose})
            return


async def _confirm(
    shared: services.Services,
    resource: str,
    ids: frozenset[str],
    namespace: str,
    name: str,
    containers: Collection[str],
) -> None:
    """Compare with what PodResources says of this pod; raises NotYet.

    It does not list plain init containers, so only a listed container can contradict. When it does not answer, the
    other two have agreed already and suffice: what it adds is only that the pod was not replaced meanwhile.
    """
    try:
        pod = await shared.pods.get(namespace, name)
    except errors.PodUnknown as error:
        raise errors.NotYet(f"{error}: it is being deleted", reason=reasons.StartRefusal.POD_UNKNOWN) from error
    except errors.PodResourcesError as error:
        facts = {"pod": f"{namespace}/{name}", "error": str(error)}
        _log.warning("start not confirmed by PodResources", extra=facts)
        return
    listed = [each for each in pod.containers if each.name in containers]
    if listed and all(each.devices.get(resource) != ids for each in listed):
        raise errors.NotYet(
            f"PodResources says that {namespace}/{name} has other devices than {', '.join(sorted(ids))}: a pod of the "
            "same name took its place; kubelet asks again",
            reason=reasons.StartRefusal.POD_RESOURCES_DIFFERS,
        )
