"""What the agent writes into its NeuronNode, and when: holders, health, names, and nothing without a change."""

import asyncio

import pytest

from kits.embedded import neuron_node_store
from kits.kubelet import plugin_rig
from kits.manifests import builders, domain
from neuronspan import names


async def test_holder_is_reported_with_its_grants_name_and_its_processes() -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.admit(builders.make_pod(cores=4, node="w1"))
        await rig.store.until(lambda: [each["processes"] for each in rig.held()] == [False])
        await rig.kubelet.start_pod("uid-web")
        await rig.store.until(lambda: [each["processes"] for each in rig.held()] == [True])

        assert rig.held() == [builders.held("4-7")]


async def test_both_resources_are_reported_in_cores() -> None:
    entries = [domain.grant("4-7", "chips", resource=names.DEVICE_RESOURCE), domain.grant("9", "core")]
    async with plugin_rig.running(*entries) as rig:
        await rig.kubelet.run(
            builders.make_pod("core", cores=1, node="w1"), builders.make_pod("chips", devices=2, node="w1")
        )

        wanted = [builders.held("4-7", "chips", resource=names.DEVICE_RESOURCE), builders.held("9", "core")]
        await rig.store.until(lambda: rig.held() == wanted)


async def test_unmanaged_holder_gets_its_name_from_pod_resources_when_all_is_quiet() -> None:
    async with plugin_rig.running() as rig:
        await rig.kubelet.admit(builders.make_pod("stray", cores=2, node="w1"))
        rig.kubelet.groups.start("uid-stray", "sandbox")

        await rig.store.until(lambda: rig.held() == [builders.held("0-1", "stray")])


async def test_finished_pod_is_not_held_although_kubelets_checkpoint_still_lists_it() -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        await rig.store.until(rig.held)
        rig.kubelet.finish("uid-web")
        rig.release("uid-web")
        await rig.store.until(lambda: rig.store.status["released"] == ["uid-web"])
        rig.forget("uid-web")
        await rig.store.until(lambda: not rig.held())

        assert rig.cores("uid-web") == "4-7"


async def test_nothing_is_written_while_nothing_changes() -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        await rig.store.until(lambda: rig.held() == [builders.held("4-7")])
        writes = rig.store.writes
        for _ in range(5):
            await rig.running._report_once()

        assert rig.store.writes == writes


async def test_faulty_cores_are_unhealthy_under_both_names_and_heal() -> None:
    async with plugin_rig.running() as rig:
        rig.store.edit(faults=[{"first": 5, "count": 2, "kind": "hw_hbm_ue_error"}])
        await rig.kubelet.until(lambda: rig.kubelet.allocatable(names.DEVICE_RESOURCE) == 14)
        await rig.kubelet.until(lambda: rig.kubelet.allocatable(names.CORE_RESOURCE) == 30)
        await rig.store.until(lambda: not all(each["healthy"] for each in rig.store.status["cores"]))

        assert rig.kubelet.manager.unhealthy == {
            names.CORE_RESOURCE: {"5", "6"},
            names.DEVICE_RESOURCE: {"2", "3"},
        }
        unhealthy = [(each["index"], each["reason"]) for each in rig.store.status["cores"] if not each["healthy"]]
        assert unhealthy == [(5, "HbmUncorrectable"), (6, "HbmUncorrectable")]
        rig.store.edit(faults=[])
        await rig.kubelet.until(lambda: rig.kubelet.allocatable(names.CORE_RESOURCE) == 32)
        await rig.kubelet.until(lambda: rig.kubelet.allocatable(names.DEVICE_RESOURCE) == 16)


async def test_kubelet_gets_one_list_when_health_does_not_change() -> None:
    """Each list makes kubelet write a file: grants and pods must not cause any."""
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        lists = [0]
        listed = rig.kubelet.manager.listed

        def counted(resource: str, devices: dict[str, bool]) -> None:
            lists[0] += 1
            listed(resource, devices)

        rig.kubelet.manager.listed = counted  # type: ignore[assignment, method-assign]
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        rig.grant(domain.grant("9", "more"))
        await rig.seen()
        await rig.store.until(rig.held)

        assert lists == [0]


async def test_status_of_another_instance_is_written_over() -> None:
    async with plugin_rig.running() as rig:
        await rig.store.until(lambda: rig.store.condition("Registered").get("status") == "True")
        rig.store.write_status({"epoch": "an older one", "conditions": []})

        await rig.store.until(lambda: rig.store.condition("Registered").get("status") == "True")


async def test_status_is_written_again_when_the_neuron_node_is_made_anew() -> None:
    """The operator makes one anew when the old one was deleted by hand, or went with its Node."""
    async with plugin_rig.running() as rig:
        await rig.store.until(lambda: rig.store.condition("Registered").get("status") == "True")
        rig.store.remove()
        anew = neuron_node_store.neuron_node()
        anew["metadata"]["uid"] = "uid-made-anew"
        rig.store.put(anew)

        await rig.store.until(lambda: rig.store.condition("Registered").get("status") == "True")


async def test_condition_keeps_its_time_until_it_changes() -> None:
    async with plugin_rig.running(start=False) as rig:
        old = {"type": "HardwareAccepted", "status": "True", "reason": "Accepted", "message": ""}
        rig.store.write_status({"conditions": [old | {"lastTransitionTime": "2020-01-01T00:00:00Z"}]})
        await rig.start_agent()
        await rig.store.until(lambda: rig.store.condition("Registered").get("status") == "True")

        assert rig.store.condition("HardwareAccepted")["lastTransitionTime"] == "2020-01-01T00:00:00Z"
        assert rig.store.condition("Registered")["lastTransitionTime"] > "2020-01-01T00:00:00Z"


async def test_report_waits_for_the_api_server_and_comes_later() -> None:
    async with plugin_rig.running() as rig:
        await rig.store.until(lambda: rig.store.condition("Registered").get("status") == "True")
        rig.store.go_down()
        await rig.kubelet.admit(builders.make_pod("stray", cores=2, node="w1"))
        rig.kubelet.groups.start("uid-stray", "sandbox")
        assert not rig.held()
        rig.store.come_back()

        await rig.store.until(lambda: [each["podUID"] for each in rig.held()] == ["uid-stray"])


async def test_unexpected_error_ends_the_process() -> None:
    """Kubelet starts it anew; half a plugin would serve wrong answers."""
    async with plugin_rig.running() as rig:

        def broken() -> None:
            raise ZeroDivisionError

        rig.serving.observer.learn_names = broken  # type: ignore[assignment, method-assign]
        task, rig.agent = rig._task, None
        assert task is not None
        with pytest.raises(ZeroDivisionError):
            async with asyncio.timeout(neuron_node_store.PATIENCE):
                await task
