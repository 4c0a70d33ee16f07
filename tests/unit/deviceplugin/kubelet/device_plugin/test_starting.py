"""Which witnesses must agree before a container starts, and which one may be silent."""

from collections.abc import Mapping
from typing import cast

import pytest

from kits.kubelet import node_parts
from kits.manifests import domain
from neuronspan import instance_types, names
from neuronspan_deviceplugin import errors, metrics
from neuronspan_deviceplugin.allocation import pod_devices, resource_manager
from neuronspan_deviceplugin.kubelet import pod_resources
from neuronspan_deviceplugin.kubelet.device_plugin import services, starting

CORES = names.CORE_RESOURCE
IDS = frozenset({"4", "5", "6", "7"})
OTHERS = frozenset({"8", "9", "10", "11"})
Looks = list[Mapping[str, bool | None]]


class _PodResources:
    """PodResources with one answer, a pod or an error."""

    def __init__(self, answer: pod_devices.PodDevices | errors.PodResourcesError) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def get(self, namespace: str, name: str) -> pod_devices.PodDevices:
        self.asked.append(f"{namespace}/{name}")
        if isinstance(self.answer, errors.PodResourcesError):
            raise self.answer
        return self.answer


class _Node:
    """Control groups with one answer per look; ``alive`` is what an earlier report saw."""

    def __init__(self, manager: resource_manager.ResourceManager, looks: Looks) -> None:
        self.alive: Mapping[str, bool | None] = {"uid-old": False}
        self._manager = manager
        self._looks = looks

    async def refresh_ledger(self) -> None:
        """Know the ledger already."""

    async def refresh_record(self) -> Mapping[str, bool | None]:
        if len(self._looks) == 1:
            return self._looks[0]
        self._manager.changed.raised()  # the next look differs
        return self._looks.pop(0)


def _listed(devices: Mapping[str, frozenset[str]], container: str = "app") -> pod_devices.PodDevices:
    return pod_devices.PodDevices("default", "web", (pod_devices.ContainerDevices(container, devices),))


def _manager(*, old_lives: bool = True) -> resource_manager.ResourceManager:
    """Make the node on which kubelet's record and the ledger agree that uid-web has cores 4-7.

    ``old_lives``: what the last look finds of any other pod.
    """
    manager = node_parts.manager(
        instance_types.hardware_of("inf2.24xlarge"),
        lambda uids: {each: old_lives or each == "uid-web" for each in uids},
    )
    manager.learn_ledger(domain.book(12, [domain.grant("4-7")]))
    manager.learn_assignments([pod_devices.Assignment("uid-web", "app", CORES, IDS)], {"uid-web": True})
    return manager


def _services(
    manager: resource_manager.ResourceManager, pods: _PodResources, looks: Looks, wait: float = 0.0
) -> services.Services:
    return services.Services(
        manager=manager,
        pods=cast("pod_resources.PodResources", pods),
        node=_Node(manager, looks),
        meters=metrics.Metrics(),
        clock=lambda: 0.0,
        poll_seconds=1.0,
        start_wait_seconds=wait,
    )


def _started(manager: resource_manager.ResourceManager) -> bool:
    return any(each.verified for each in manager.holdings if each.pod_uid == "uid-web")


CONFIRMED = {
    "PodResources names the same devices": _listed({CORES: IDS}),
    "PodResources does not list the container, as with init containers": _listed({}, "another"),
    "PodResources is silent: kubelet's record and the ledger suffice": errors.PodResourcesError("no answer"),
}


@pytest.mark.parametrize("answer", CONFIRMED.values(), ids=CONFIRMED.keys())
async def test_container_starts_when(answer: pod_devices.PodDevices | errors.PodResourcesError) -> None:
    manager, pods = _manager(), _PodResources(answer)
    await starting.let_start(_services(manager, pods, [{}]), CORES, IDS)
    assert pods.asked == ["default/web"]
    assert _started(manager)


CONTRADICTED = {
    "PodResources does not know the pod": (errors.PodUnknown("kubelet does not know pod x"), "PodUnknown", "deleted"),
    "PodResources names other devices": (_listed({CORES: OTHERS}), "PodResourcesDiffers", "of the same name"),
    "PodResources names none of this resource": (_listed({}), "PodResourcesDiffers", "of the same name"),
}


@pytest.mark.parametrize(("answer", "reason", "words"), CONTRADICTED.values(), ids=CONTRADICTED.keys())
async def test_container_does_not_start_when(
    answer: pod_devices.PodDevices | errors.PodUnknown, reason: str, words: str
) -> None:
    manager = _manager()
    with pytest.raises(errors.NotYet, match=words) as refusal:
        await starting.let_start(_services(manager, _PodResources(answer), [{}]), CORES, IDS)
    assert refusal.value.reason == reason
    assert not _started(manager)


SILENT = errors.PodResourcesError("no answer")


async def test_silence_of_pod_resources_does_not_replace_the_ledger() -> None:
    manager = _manager()
    manager.learn_ledger(domain.book(12))
    with pytest.raises(errors.NotYet) as refusal:
        await starting.let_start(_services(manager, _PodResources(SILENT), [{}]), CORES, IDS)
    assert refusal.value.reason == "NotGranted"
    assert not _started(manager)


async def test_silence_of_pod_resources_does_not_replace_kubelets_record() -> None:
    manager = _manager()
    manager.learn_assignments([], {"uid-web": True})
    with pytest.raises(errors.NotYet) as refusal:
        await starting.let_start(_services(manager, _PodResources(SILENT), [{}]), CORES, IDS)
    assert refusal.value.reason == "HolderUnknown"


async def test_pod_resources_is_not_asked_about_a_pod_that_started_here_before_when_the_ledger_is_unknown() -> None:
    manager = _manager()
    manager.start(CORES, IDS)
    manager.book = None
    pods = _PodResources(errors.PodUnknown("kubelet does not know pod x"))
    await starting.let_start(_services(manager, pods, [{}]), CORES, IDS)
    assert pods.asked == []


async def test_former_holder_is_looked_for_at_the_start_whatever_an_earlier_report_saw() -> None:
    manager = _manager()
    manager.learn_assignments(
        [
            pod_devices.Assignment("uid-web", "app", CORES, IDS),
            pod_devices.Assignment("uid-old", "app", CORES, frozenset({"7"})),
        ],
        {"uid-web": True, "uid-old": True},
    )
    shared = _services(manager, _PodResources(SILENT), [{"uid-old": True}])
    with pytest.raises(errors.NotYet) as refusal:
        await starting.let_start(shared, CORES, IDS)
    assert refusal.value.reason == "FormerHolderAlive"
    assert not _started(manager)


async def test_start_is_checked_again_when_something_changed_before_its_time_is_up() -> None:
    manager = _manager(old_lives=False)
    manager.learn_assignments(
        [
            pod_devices.Assignment("uid-web", "app", CORES, IDS),
            pod_devices.Assignment("uid-old", "app", CORES, frozenset({"7"})),
        ],
        {"uid-web": True, "uid-old": True},
    )
    shared = _services(manager, _PodResources(SILENT), [{"uid-old": True}, {"uid-old": False}], wait=60.0)
    await starting.let_start(shared, CORES, IDS)
    assert _started(manager)


async def test_container_starts_with_lock_files_of_its_pod_alone() -> None:
    manager = _manager()
    await starting.let_start(_services(manager, _PodResources(SILENT), [{}]), CORES, IDS)
    assert {each.pod_uid for each in manager._locks.of(range(4, 8))} == {"uid-web"}
    assert {each.pod_uid for each in manager._locks.of((3, 8))} == {""}


async def test_pod_that_was_let_start_while_pod_resources_answered_is_not_robbed_of_its_lock_files() -> None:
    """The look before the answer saw no process of it."""
    manager = _manager()
    shared = _services(manager, _PodResources(SILENT), [{"uid-next": False}])
    pods = cast("_PodResources", shared.pods)

    async def answer(namespace: str, name: str) -> pod_devices.PodDevices:
        manager._locks.renew([5], "uid-next")
        return _listed({CORES: IDS})

    pods.get = answer  # type: ignore[method-assign] # something happens while kubelet answers
    with pytest.raises(errors.NotYet, match="core 5: its lock file is that of pod uid-next"):
        await starting.let_start(shared, CORES, IDS)
    assert not _started(manager)
    assert [each.pod_uid for each in manager._locks.of([4, 5])] == ["", "uid-next"]
