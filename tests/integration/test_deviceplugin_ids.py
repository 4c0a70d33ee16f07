"""What kubelet calls the devices: the IDs that AWS's monitoring looks for, and those that pods of before still have."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping

import grpc.aio
import pytest

from kits.kubelet import former_plugin, plugin_rig
from kits.manifests import builders, domain
from neuronspan import grants, names
from neuronspan_deviceplugin.api import podresources_pb2, podresources_pb2_grpc
from neuronspan_embedded.kubelet import kubelet as model_kubelet
from neuronspan_embedded.kubelet import pods

CORES, DEVICES = names.RESOURCES
CONFIRMED = grants.GrantState.CONFIRMED


@contextlib.asynccontextmanager
async def upgraded(*entries: grants.Grant, kept: bool = True) -> AsyncIterator[plugin_rig.Rig]:
    """A node on which the pod web has cores 4-7 from the former plugin, and today's has taken its place."""
    async with plugin_rig.running(domain.grant("4-7", state=CONFIRMED), *entries, start=False) as rig:
        with former_plugin.speaking():
            await rig.start_agent()
            await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
            assert rig.kubelet.ids("uid-web", "app", CORES) == {"nc-4", "nc-5", "nc-6", "nc-7"}
            await rig.stop_agent()
        if kept:
            former_plugin.unmark(rig.settings.checkpoint)
        else:
            rig.settings.checkpoint.unlink()
        await rig.start_agent()
        yield rig


async def test_kubelet_lists_present_ids_only_after_an_upgrade_and_the_running_pod_keeps_its_former_ones() -> None:
    async with upgraded() as rig:
        assert rig.kubelet.manager.healthy[CORES] == set(map(str, range(32)))
        assert rig.kubelet.manager.healthy[DEVICES] == set(map(str, range(16)))
        assert rig.kubelet.ids("uid-web", "app", CORES) == {"nc-4", "nc-5", "nc-6", "nc-7"}
        await rig.store.until(lambda: rig.held() == [builders.held("4-7")])


@pytest.mark.parametrize("kept", [True, False], ids=["with the former plugin's record", "without it"])
async def test_container_of_before_the_upgrade_starts_again_on_its_cores(kept: bool) -> None:
    async with upgraded(kept=kept) as rig:
        rig.kubelet.groups.end("uid-web", "app")
        await rig.kubelet.start_container("uid-web", "app")

        assert "app" in set(rig.kubelet.groups.processes("uid-web"))
        assert rig.metric("starts_total", resource=CORES, outcome="ok") == 1


async def test_container_of_before_the_upgrade_starts_again_when_kubelet_restarts_too() -> None:
    async with upgraded() as rig:
        await rig.kubelet.restart()
        await rig.registered()
        await rig.kubelet.start_container("uid-web", "app")

        assert rig.kubelet.pods["uid-web"].phase is pods.Phase.ADMITTED


async def test_kubelet_that_restarts_leaves_running_containers_of_before_alone() -> None:
    async with upgraded() as rig:
        await rig.kubelet.restart()
        await rig.registered()
        await rig.kubelet.readmit()

        assert rig.kubelet.pods["uid-web"].phase is pods.Phase.ADMITTED
        await rig.store.until(lambda: rig.held() == [builders.held("4-7")])


async def test_kubelet_that_restarts_gives_up_a_pod_of_before_whose_container_does_not_run() -> None:
    """Kubelet's own rule, which no plugin can change: its devices are not listed any more."""
    async with upgraded(domain.grant("8-11", "next")) as rig:
        await rig.kubelet.run(builders.make_pod("next", cores=4, node="w1"))
        for uid in ("uid-web", "uid-next"):
            rig.kubelet.groups.end(uid, "app")
        await rig.kubelet.restart()
        await rig.registered()
        await rig.kubelet.readmit()

        web, following = (rig.kubelet.pods[uid] for uid in ("uid-web", "uid-next"))
        assert web.phase is pods.Phase.FAILED
        assert "previously allocated devices are no longer healthy" in web.message
        assert following.phase is pods.Phase.ADMITTED


async def test_new_pods_get_present_ids_beside_the_cores_of_before() -> None:
    async with upgraded(domain.grant("8-11", "next")) as rig:
        await rig.kubelet.run(builders.make_pod("next", cores=4, node="w1"))
        assert rig.kubelet.ids("uid-next", "app", CORES) == {"8", "9", "10", "11"}
        await rig.kubelet.admit(builders.make_pod("stray", cores=20, node="w1"))

        assert rig.cores("uid-stray") == "12-31"


async def test_pod_that_fits_only_on_cores_of_before_is_turned_away_although_kubelet_counts_them_as_free() -> None:
    async with upgraded() as rig:
        (turned_away,) = await rig.kubelet.admit(builders.make_pod("stray", cores=29, node="w1"))

        assert "no free run of cores beside the granted ones" in turned_away.message


async def test_grant_on_cores_of_before_is_not_answered_while_they_are_held() -> None:
    """The ledger is wrong here; kubelet offers the cores, as it does not know that they are given away."""
    async with upgraded() as rig:
        rig.store.write_ledger([domain.grant("4-7", "next")])
        await rig.seen()
        (admitted,) = await rig.kubelet.admit(builders.make_pod("next", cores=4, node="w1"))

        assert admitted.phase is pods.Phase.ADMITTED
        assert not {"4", "5", "6", "7"} & rig.kubelet.ids("uid-next", "app", CORES)


@pytest.mark.parametrize("kept", [True, False], ids=["with the former plugin's record", "without it"])
@pytest.mark.parametrize(
    ("resource", "ids", "reason"),
    [
        (CORES, ["4", "5", "6", "7"], "HeldUnderFormerId"),
        (CORES, ["6"], "HeldUnderFormerId"),
        (DEVICES, ["3"], "HeldUnderOtherResource"),
    ],
    ids=["same cores", "one of them", "one of their devices"],
)
async def test_kubelet_that_gives_cores_of_before_once_more_is_refused(
    kept: bool, resource: str, ids: list[str], reason: str
) -> None:
    async with upgraded(kept=kept) as rig:
        client = rig.kubelet.registration.clients[resource]
        with pytest.raises(model_kubelet.AdmissionFailed, match="default/web"):
            await client.allocate(ids)
        assert rig.metric("allocations_total", resource=resource, outcome=reason) == 1

        rig.kubelet.delete("uid-web")
        rig.store.write_ledger([])
        await rig.store.until(lambda: not rig.held())
        await client.allocate(ids)


async def test_cores_of_before_have_present_ids_once_their_pod_is_over() -> None:
    async with upgraded() as rig:
        rig.kubelet.delete("uid-web")
        rig.release("uid-web")
        await rig.store.until(lambda: rig.store.status["released"] == ["uid-web"])
        rig.store.write_ledger([domain.grant("4-7", "next")])
        await rig.seen()
        await rig.kubelet.run(builders.make_pod("next", cores=4, node="w1"))

        assert rig.kubelet.ids("uid-next", "app", CORES) == {"4", "5", "6", "7"}


async def test_start_on_cores_of_before_is_refused_to_another_pod_and_not_to_their_own() -> None:
    """The last line: kubelet recorded the cores twice, under both spellings."""
    async with upgraded() as rig:
        rig.kubelet.pods["uid-twin"] = pods.read(builders.make_pod("twin", cores=4, node="w1"))
        given = rig.kubelet.manager.given
        web = given["uid-web"]["app"][CORES]
        given["uid-twin"] = {"app": {CORES: type(web)(frozenset({"4", "5", "6", "7"}), web.response)}}
        rig.kubelet.manager._save()

        with pytest.raises(model_kubelet.PreStartFailed, match="are granted to default/web"):
            await rig.kubelet.start_container("uid-twin", "app")
        await rig.kubelet.start_container("uid-web", "app")


# --- AWS's monitoring -------------------------------------------------------------------------------------------------


async def pod_resources(rig: plugin_rig.Rig) -> podresources_pb2.ListPodResourcesResponse:
    """Ask as an exporter does: over kubelet's socket, and with no code of the plugin's."""
    async with grpc.aio.insecure_channel(f"unix://{rig.kubelet.pod_resources_socket}") as channel:
        stub = podresources_pb2_grpc.PodResourcesListerStub(channel)  # type: ignore[no-untyped-call] # generated
        answer: podresources_pb2.ListPodResourcesResponse = await stub.List(podresources_pb2.ListPodResourcesRequest())
        return answer


def containers_by_device(
    answer: podresources_pb2.ListPodResourcesResponse,
) -> dict[tuple[str, str], tuple[str, str, str]]:
    """(resource, device ID) -> (namespace, pod, container), as the store of AWS's receiver has it."""
    return {
        (devices.resource_name, device_id): (pod.namespace, pod.name, container.name)
        for pod in answer.pod_resources
        for container in pod.containers
        for devices in container.devices
        for device_id in devices.device_ids
    }


def found(
    known: Mapping[tuple[str, str], tuple[str, str, str]], core: int, cores_per_device: int
) -> tuple[str, str, str] | None:
    """Find whose the metrics of a core are by AWS's rule: its labels, as text, are device IDs of the two resources."""
    labels = {"neuroncore": str(core), "neurondevice": str(core // cores_per_device)}
    return known.get((CORES, labels["neuroncore"])) or known.get((DEVICES, labels["neurondevice"]))


def expected(owners: Iterable[tuple[str, range]]) -> dict[int, tuple[str, str, str]]:
    return {core: ("default", pod, "app") for pod, cores in owners for core in cores}


async def test_metrics_of_every_core_find_their_pod_by_awss_rule() -> None:
    entries = [
        domain.grant("4-7", "four"),
        domain.grant("8-11", "chips", resource=DEVICES),
        domain.grant("1", "one"),
        domain.grant("30-31", "last", resource=DEVICES),
    ]
    async with plugin_rig.running(*entries) as rig:
        await rig.kubelet.run(
            builders.make_pod("four", cores=4, node="w1"),
            builders.make_pod("chips", devices=2, node="w1"),
            builders.make_pod("one", cores=1, node="w1"),
            builders.make_pod("last", devices=1, node="w1"),
        )
        known = containers_by_device(await pod_resources(rig))
        size = rig.serving.manager.hardware.cores_per_device
        owners = {core: owner for core in range(32) if (owner := found(known, core, size))}

        assert owners == expected(
            [("four", range(4, 8)), ("chips", range(8, 12)), ("one", range(1, 2)), ("last", range(30, 32))]
        )
