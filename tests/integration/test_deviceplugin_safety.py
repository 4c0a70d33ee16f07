"""No core ever serves two: force delete, double booking by kubelet, both resource names, swaps, release by proof."""

import asyncio
from collections.abc import Awaitable

import grpc
import pytest

from kits.kubelet import plugin_rig
from kits.manifests import builders, domain
from neuronspan import grants, names, spans
from neuronspan_deviceplugin.neuron_node import status_writer
from neuronspan_embedded.kubelet import kubelet as model_kubelet
from neuronspan_embedded.kubelet import pods


async def _refusal(start: Awaitable[None]) -> str:
    """Return why a start was refused; "" when it was not."""
    try:
        await start
    except model_kubelet.PreStartFailed as error:
        return str(error)
    return ""


async def test_force_deleted_pods_cores_stay_taken_until_its_processes_are_gone() -> None:
    async with plugin_rig.running(domain.grant("0-29", "old")) as rig:
        await rig.kubelet.run(builders.make_pod("old", cores=30, node="w1"))
        rig.kubelet.force_delete("uid-old")
        rig.release("uid-old")
        await rig.seen()
        stray = (await rig.kubelet.admit(builders.make_pod("stray", cores=20, node="w1")))[0]

        assert "no free run of cores beside the granted ones" in stray.message
        await rig.store.until(lambda: [each["processes"] for each in rig.held()] == [True])
        assert rig.store.status["released"] == []
        rig.kubelet.kill("uid-old")
        await rig.store.until(lambda: rig.store.status["released"] == ["uid-old"])
        rig.forget("uid-old")
        rig.grant(domain.grant("5-24", "next"))
        await rig.kubelet.run(builders.make_pod("next", cores=20, node="w1"))
        assert rig.cores("uid-next") == "5-24"
        await rig.store.until(lambda: rig.store.status["released"] == [])


async def test_start_is_vetoed_while_the_former_holder_has_processes_and_then_goes_through() -> None:
    """Even when the operator is wrong: the plugin's own record knows the former holder."""
    async with plugin_rig.running(domain.grant("4-7", "old")) as rig:
        await rig.kubelet.run(builders.make_pod("old", cores=4, node="w1"))
        rig.kubelet.force_delete("uid-old")
        rig.store.write_ledger([domain.grant("4-7", "new")])
        await rig.seen()
        await rig.kubelet.admit(builders.make_pod("new", cores=4, node="w1"))

        assert rig.cores("uid-new") == "4-7"
        refusal = await _refusal(rig.kubelet.start_pod("uid-new"))
        assert refusal.startswith(
            "FAILED_PRECONDITION: cores 4-7: their former holder default/old[app] 4-7 (pod uid-old)"
        )
        assert rig.metric("starts_total", resource=names.CORE_RESOURCE, outcome="FormerHolderAlive") == 1
        rig.kubelet.kill("uid-old")
        assert await _refusal(rig.kubelet.start_pod("uid-new")) == ""


async def test_start_waits_for_the_former_holders_last_process() -> None:
    async with plugin_rig.running(domain.grant("4-7", "old"), start_wait_seconds=10.0) as rig:
        await rig.kubelet.run(builders.make_pod("old", cores=4, node="w1"))
        rig.kubelet.force_delete("uid-old")
        rig.store.write_ledger([domain.grant("4-7", "new")])
        await rig.seen()
        await rig.kubelet.admit(builders.make_pod("new", cores=4, node="w1"))
        start = asyncio.create_task(_refusal(rig.kubelet.start_pod("uid-new")))
        await rig.store.until(lambda: {each["podUID"] for each in rig.held()} == {"uid-old", "uid-new"})
        assert not start.done()
        rig.kubelet.kill("uid-old")

        assert await start == ""


async def test_unreadable_control_groups_never_release_and_never_start_on_used_cores() -> None:
    async with plugin_rig.running(domain.grant("4-7", "old")) as rig:
        await rig.kubelet.run(builders.make_pod("old", cores=4, node="w1"))
        rig.kubelet.groups.root.rename(rig.root / "elsewhere")
        await rig.store.until(lambda: rig.store.condition("ProcessesVisible")["status"] == "False")
        rig.kubelet.pods["uid-old"].phase = pods.Phase.TERMINATED
        rig.release("uid-old")
        await rig.seen()
        observer = rig.serving.observer
        await observer.refresh_record()

        assert observer.alive == {"uid-old": None}
        assert status_writer.released(observer.book, observer.alive) == []
        rig.store.write_ledger([domain.grant("4-7", "new")])
        await rig.seen()
        await rig.kubelet.admit(builders.make_pod("new", cores=4, node="w1"))
        (rig.root / "elsewhere").rename(rig.kubelet.groups.root)
        rig.kubelet.groups.start("uid-old", "leftover")
        assert "still has processes" in await _refusal(rig.kubelet.start_pod("uid-new"))


@pytest.mark.parametrize("layout", pods.Layout)
async def test_release_is_proved_by_every_kind_of_control_group_tree(layout: pods.Layout) -> None:
    async with plugin_rig.running(domain.grant("4-7"), layout=layout) as rig:
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        rig.release("uid-web")
        await rig.store.until(lambda: [each["processes"] for each in rig.held()] == [True])
        assert rig.store.status["released"] == []
        rig.kubelet.groups.end("uid-web", "app")
        assert await rig.serving.observer.refresh_record() == {"uid-web": True}
        rig.kubelet.groups.end("uid-web", model_kubelet.SANDBOX)

        await rig.store.until(lambda: rig.store.status["released"] == ["uid-web"])


async def test_pod_that_never_started_is_released_at_once() -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        rig.release("uid-web")

        await rig.store.until(lambda: rig.store.status.get("released") == ["uid-web"])


async def test_pod_whose_grant_is_being_released_starts_nothing_more() -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        rig.release("uid-web")
        await rig.seen()

        assert "is being released" in await _refusal(rig.kubelet.start_container("uid-web", "app"))


async def test_cores_held_under_the_other_resource_are_refused() -> None:
    """Kubelet counts the two resources apart, so only the plugin can see that they are one silicon."""
    async with plugin_rig.running(domain.grant("4-7", "chips", resource=names.DEVICE_RESOURCE)) as rig:
        await rig.kubelet.run(builders.make_pod("chips", devices=2, node="w1"))
        rig.store.write_ledger([])
        await rig.seen()
        client = rig.kubelet.registration.clients[names.CORE_RESOURCE]
        with pytest.raises(model_kubelet.AdmissionFailed, match="4-7 holds them as aws"):
            await client.allocate(["5", "6"])

        assert rig.metric("allocations_total", resource=names.CORE_RESOURCE, outcome="HeldUnderOtherResource") == 1
        rig.kubelet.delete("uid-chips")
        await rig.store.until(lambda: not rig.held())
        await client.allocate(["5", "6"])


async def test_unmanaged_pods_of_both_resources_stay_out_of_each_others_way() -> None:
    async with plugin_rig.running() as rig:
        await rig.kubelet.admit(
            builders.make_pod("a", cores=3, node="w1", created="2026-01-31T09:00:01Z"),
            builders.make_pod("b", devices=2, node="w1", created="2026-01-31T09:00:02Z"),
            builders.make_pod("c", cores=1, node="w1", created="2026-01-31T09:00:03Z"),
        )

        assert [rig.cores("uid-a"), rig.cores("uid-c")] == ["0-2", "3"]
        assert rig.cores("uid-b", resource=names.DEVICE_RESOURCE) == "4-7"


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (["4", "6"], "5 is missing between 4 and 6"),
        (["4", "nd-2"], "is no NeuronCore"),
        (["32"], "does not exist on this node"),
    ],
    ids=["with a gap", "of both resources", "beyond the node"],
)
async def test_devices_that_are_no_run_are_refused(ids: list[str], words: str) -> None:
    async with plugin_rig.running() as rig:
        with pytest.raises(model_kubelet.AdmissionFailed, match=words):
            await rig.kubelet.registration.clients[names.CORE_RESOURCE].allocate(ids)

        assert rig.held() == []


async def _swap(rig: plugin_rig.Rig) -> None:
    """Let kubelet give two pods of one size each other's cores: it ignores what the plugin prefers."""
    client = rig.kubelet.registration.clients[names.CORE_RESOURCE]
    client.preferred_available = False
    rig.kubelet.manager.healthy[names.CORE_RESOURCE] = {str(core) for core in range(8, 12)}
    await rig.kubelet.admit(builders.make_pod("a", cores=4, node="w1"))
    rig.kubelet.manager.healthy[names.CORE_RESOURCE] = {str(core) for core in range(4, 12)}
    await rig.kubelet.admit(builders.make_pod("b", cores=4, node="w1"))


async def test_swapped_pods_start_only_after_the_operator_swapped_the_grants() -> None:
    async with plugin_rig.running(domain.grant("4-7", "a"), domain.grant("8-11", "b")) as rig:
        await _swap(rig)
        assert (rig.cores("uid-a"), rig.cores("uid-b")) == ("8-11", "4-7")
        refusals = [await _refusal(rig.kubelet.start_pod(uid)) for uid in ("uid-a", "uid-b")]

        assert all("waiting for the operator to swap the two grants" in each for each in refusals)
        assert rig.metric("drift_total", kind="Swapped") == 2
        await rig.store.until(lambda: {(each["pod"], each["first"]) for each in rig.held()} == {("a", 8), ("b", 4)})
        exchanged = {("uid-a", "app"): spans.CoreSpan(8, 4), ("uid-b", "app"): spans.CoreSpan(4, 4)}
        rig.change_ledger(rig.store.book().moved(exchanged))
        await rig.seen()
        assert [await _refusal(rig.kubelet.start_pod(uid)) for uid in ("uid-a", "uid-b")] == ["", ""]


async def test_swap_inside_one_pod_is_seen_too() -> None:
    manifest = builders.make_pod(
        containers=[builders.container("a", cores=2), builders.container("b", cores=2)], node="w1"
    )
    entries = [domain.grant("4-5", container="a"), domain.grant("6-7", container="b")]
    async with plugin_rig.running(*entries) as rig:
        rig.kubelet.registration.clients[names.CORE_RESOURCE].preferred_available = False
        manager = rig.kubelet.manager
        rig.kubelet.pods["uid-web"] = pod = pods.read(manifest)
        for container, healthy in zip(pod.containers, ({"6", "7"}, {"4", "5"}), strict=True):
            manager.healthy[names.CORE_RESOURCE] = healthy
            await manager.allocate(pod, container)

        refusal = await _refusal(rig.kubelet.start_container("uid-web", "a"))
        assert "a of pod uid-web got cores 6-7 of default/web[b] 6-7" in refusal


async def test_core_that_kubelet_gave_to_two_pods_starts_neither() -> None:
    """kubernetes#137534: a List between reservation and record makes kubelet forget what it just gave away."""
    async with plugin_rig.running(domain.grant("4-7", "a"), domain.grant("8-11", "b")) as rig:
        await rig.kubelet.admit(builders.make_pod("a", cores=4, node="w1"))
        await rig.kubelet.admit(builders.make_pod("b", cores=4, node="w1"))
        given = rig.kubelet.manager.given
        given["uid-b"] = given["uid-a"]
        rig.kubelet.manager._save()

        refusal = await _refusal(rig.kubelet.start_pod("uid-b"))
        assert "kubelet gave cores 4-7 to pods uid-a and uid-b" in refusal


async def test_unmanaged_pod_starts_once_the_operator_adopted_it() -> None:
    async with plugin_rig.running(domain.grant("0-3", "granted"), start_wait_seconds=10.0) as rig:
        await rig.kubelet.admit(builders.make_pod("stray", cores=2, node="w1"))
        start = asyncio.create_task(_refusal(rig.kubelet.start_pod("uid-stray")))
        await rig.store.until(lambda: [each["podUID"] for each in rig.held()] == ["uid-stray"])
        assert not start.done()
        adopted = domain.grant(rig.cores("uid-stray"), "stray", state=grants.GrantState.CONFIRMED)
        rig.change_ledger(rig.store.book().adopt(adopted))

        assert await start == ""


async def test_pod_that_drifted_from_its_grant_does_not_start() -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.admit(builders.make_pod(cores=4, node="w1"))
        rig.store.write_ledger([domain.grant("8-11")])
        await rig.seen()

        assert "waiting for the operator to correct the ledger" in await _refusal(rig.kubelet.start_pod("uid-web"))


async def test_pod_on_another_pods_cores_does_not_start() -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.admit(builders.make_pod(cores=4, node="w1"))
        rig.store.write_ledger([domain.grant("6-9", "other")])
        await rig.seen()

        assert "are granted to default/other[app] 6-9, not to app of pod uid-web" in await _refusal(
            rig.kubelet.start_pod("uid-web")
        )


async def test_start_is_judged_by_pod_resources_when_kubelets_checkpoint_is_unreadable() -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.admit(builders.make_pod(cores=4, node="w1"))
        (rig.kubelet.directory / "kubelet_internal_checkpoint").write_text("{")

        assert await _refusal(rig.kubelet.start_pod("uid-web")) == ""


async def _start_of_a_container_whose_pod_changed(rig: plugin_rig.Rig) -> str:
    """Return why PreStartContainer is refused for cores that kubelet's record gives to uid-web; "" when it is not."""
    client = rig.kubelet.registration.clients[names.CORE_RESOURCE]
    return await _refusal(client.pre_start(["4", "5", "6", "7"]))


async def test_container_of_a_pod_that_kubelet_forgot_meanwhile_does_not_start() -> None:
    """Its record names the pod until the next allocation: PodResources alone knows that it is gone."""
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.admit(builders.make_pod(cores=4, node="w1"))
        del rig.kubelet.pods["uid-web"]

        assert "does not know pod default/web" in await _start_of_a_container_whose_pod_changed(rig)
        assert rig.metric("starts_total", resource=names.CORE_RESOURCE, outcome="PodUnknown") == 1


async def test_container_of_a_pod_that_was_replaced_under_its_name_does_not_start() -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.admit(builders.make_pod(cores=4, node="w1"))
        del rig.kubelet.pods["uid-web"]
        rig.kubelet.pods["uid-next"] = pods.read(builders.make_pod(cores=4, node="w1", uid="uid-next"))

        assert "a pod of the same name took its place" in await _start_of_a_container_whose_pod_changed(rig)
        assert rig.metric("starts_total", resource=names.CORE_RESOURCE, outcome="PodResourcesDiffers") == 1


async def test_container_starts_on_kubelets_record_and_the_ledger_when_pod_resources_is_silent() -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.admit(builders.make_pod(cores=4, node="w1"))
        rig.kubelet.resources.failing = grpc.StatusCode.UNAVAILABLE

        assert await _refusal(rig.kubelet.start_pod("uid-web")) == ""
