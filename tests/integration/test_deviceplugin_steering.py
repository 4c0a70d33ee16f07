"""The agent and a kubelet over real gRPC: every container gets exactly the cores it was granted."""

import random
from collections.abc import Sequence

import grpc
import pytest

from kits.kubelet import plugin_rig
from kits.manifests import builders, domain
from neuronspan import grants, names
from neuronspan_embedded.kubelet import kubelet as model_kubelet


async def test_pod_gets_exactly_the_granted_cores() -> None:
    async with plugin_rig.running(domain.grant("20-23")) as rig:
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))

        assert rig.cores("uid-web") == "20-23"
        environment = rig.kubelet.created("uid-web", "app").environment
        assert environment[names.VISIBLE_CORES_ENV] == "20-23"
        assert environment[names.GRANT_ENV] == "20-23"


async def test_container_sees_its_locks_its_devices_and_the_hardware_file() -> None:
    async with plugin_rig.running(domain.grant("5-7")) as rig:
        await rig.kubelet.run(builders.make_pod(cores=3, node="w1"))

        created = rig.kubelet.created("uid-web", "app")
        assert created.devices == {"/dev/neuron2", "/dev/neuron3"}
        assert set(created.mounts) == {
            "/run/neuronspan/hardware.json",
            *(f"/run/neuronspan/cores/{core}.lock" for core in (5, 6, 7)),
            *created.devices,
        }
        assert all((rig.root / host).exists() for host in created.mounts.values())


@pytest.mark.parametrize("cdi", [True, False], ids=["with CDI", "without CDI"])
async def test_containers_root_can_change_nothing_of_the_nodes(cdi: bool) -> None:
    """A device's mode and owner neither: they are those of the host's /dev/null."""
    async with plugin_rig.running(domain.grant("5-7"), cdi=cdi) as rig:
        await rig.kubelet.run(builders.make_pod(cores=3, node="w1"))

        created = rig.kubelet.created("uid-web", "app")
        assert {"/dev/neuron2", "/dev/neuron3"} == created.devices < set(created.mounts)
        assert created.changeable == frozenset()


async def test_pod_manifest_cannot_widen_its_cores() -> None:
    manifest = builders.make_pod(cores=4, node="w1")
    manifest["spec"]["containers"][0]["env"] = [{"name": names.VISIBLE_CORES_ENV, "value": "0-31"}]
    async with plugin_rig.running(domain.grant("20-23")) as rig:
        await rig.kubelet.run(manifest)

        assert rig.kubelet.created("uid-web", "app").environment[names.VISIBLE_CORES_ENV] == "20-23"


@pytest.mark.parametrize("cdi", [True, False], ids=["with CDI", "without CDI"])
async def test_count_mode_and_groups_reach_the_container(cdi: bool) -> None:
    grant = domain.grant("8-15", env=grants.EnvMode.COUNT, group_sizes="3,4,1")
    async with plugin_rig.running(grant, cdi=cdi) as rig:
        await rig.kubelet.run(builders.make_pod(cores=8, node="w1"))

        created = rig.kubelet.created("uid-web", "app")
        assert created.environment[names.NUM_CORES_ENV] == "8"
        assert created.environment[names.VISIBLE_CORES_ENV] == ""
        assert created.environment[names.GROUP_SIZES_ENV] == "3,4,1"
        assert created.environment[names.GRANT_ENV] == "8-15"
        assert created.devices == {f"/dev/neuron{device}" for device in (4, 5, 6, 7)}
        assert len(created.mounts) == 1 + 8 + 4  # the hardware, a lock for each core, the devices
        assert (rig.kubelet.cdi.exists() and any(rig.kubelet.cdi.iterdir())) is cdi


async def test_container_numbering_starts_at_zero_and_the_fence_does_not() -> None:
    async with plugin_rig.running(domain.grant("20-23"), start=False) as rig:
        rig.store.edit(coreNumbering=names.CONTAINER_NUMBERING)
        await rig.start_agent()
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))

        created = rig.kubelet.created("uid-web", "app")
        environment = created.environment
        assert created.devices == {"/dev/neuron0", "/dev/neuron1"}
        assert environment[names.VISIBLE_CORES_ENV] == "0-3"
        assert environment[names.GRANT_ENV] == "20-23"
        assert environment[names.CORE_NUMBERING_ENV] == names.CONTAINER_NUMBERING


async def test_whole_devices_are_steered_under_their_own_resource() -> None:
    async with plugin_rig.running(domain.grant("12-15", resource=names.DEVICE_RESOURCE)) as rig:
        await rig.kubelet.run(builders.make_pod(devices=2, node="w1"))

        assert rig.cores("uid-web", resource=names.DEVICE_RESOURCE) == "12-15"
        assert rig.kubelet.created("uid-web", "app").environment[names.VISIBLE_CORES_ENV] == "12-15"


def _burst(seed: int) -> tuple[list[grants.Grant], list[int]]:
    """Fill the node with spans of random sizes, granted in random order to pods that come in another one."""
    chance = random.Random(seed)  # noqa: S311 - a seed makes the test repeatable
    entries: list[grants.Grant] = []
    first = 0
    while first < 32:
        size = min(chance.randint(1, 4), 32 - first)
        span = f"{first}-{first + size - 1}"
        entries.append(domain.grant(span, f"p{len(entries)}", since=f"2026-01-31T09:00:{chance.randint(10, 59)}Z"))
        first += size
    order = list(range(len(entries)))
    chance.shuffle(order)
    return entries, order


@pytest.mark.parametrize("seed", range(4))
async def test_burst_that_fills_the_node_lands_exactly_where_granted(seed: int) -> None:
    entries, order = _burst(seed)
    async with plugin_rig.running(*entries, seed=seed) as rig:
        manifests = []
        for at, number in enumerate(order):
            size, created = entries[number].span.count, f"2026-01-31T09:{at:02}:00Z"
            manifests.append(builders.make_pod(f"p{number}", cores=size, node="w1", created=created))
        await rig.kubelet.run(*manifests)

        assert {each.pod: rig.cores(each.pod_uid) for each in entries} == {each.pod: str(each.span) for each in entries}
        assert rig.metric("steering_total", resource=names.CORE_RESOURCE, outcome="grant") == len(entries)
        assert rig.metric("double_grants_total") == 0


async def test_pods_of_one_size_keep_their_own_cores_whatever_the_order() -> None:
    entries = [domain.grant(f"{4 * number}-{4 * number + 3}", f"p{number}") for number in range(8)]
    async with plugin_rig.running(*entries) as rig:
        for number in (5, 2, 7, 0, 6, 1, 4, 3):
            await rig.kubelet.run(builders.make_pod(f"p{number}", cores=4, node="w1"))

        assert [rig.cores(each.pod_uid) for each in entries] == [str(each.span) for each in entries]


async def test_burst_of_one_core_pods_fills_every_core_with_its_own_pod() -> None:
    chance = random.Random(7)  # noqa: S311 - a seed makes the test repeatable
    cores = chance.sample(range(32), 32)
    entries = [domain.grant(str(core), f"p{number}") for number, core in enumerate(cores)]
    async with plugin_rig.running(*entries) as rig:
        await rig.kubelet.run(*(builders.make_pod(f"p{number}", cores=1, node="w1") for number in range(32)))

        assert [rig.cores(f"uid-p{number}") for number in range(32)] == list(map(str, cores))


async def test_two_containers_of_one_size_get_their_own_grants() -> None:
    entries = [domain.grant("8-9", container="a"), domain.grant("2-3", container="b")]
    manifest = builders.make_pod(
        containers=[builders.container("a", cores=2), builders.container("b", cores=2)], node="w1"
    )
    async with plugin_rig.running(*entries) as rig:
        await rig.kubelet.run(manifest)

        assert [rig.cores("uid-web", each) for each in "ab"] == ["8-9", "2-3"]


async def test_container_without_cores_does_not_confuse_its_neighbour() -> None:
    manifest = builders.make_pod(containers=[builders.container("log"), builders.container("app", cores=3)], node="w1")
    async with plugin_rig.running(domain.grant("9-11")) as rig:
        await rig.kubelet.run(builders.make_pod("other", cores=0, node="w1"), manifest)

        assert rig.cores("uid-web") == "9-11"


async def test_sidecar_keeps_cores_of_its_own() -> None:
    manifest = builders.make_pod(
        init_containers=[builders.container("side", cores=2, sidecar=True)],
        containers=[builders.container("app", cores=3)],
        node="w1",
    )
    entries = [domain.grant("13-14", container="side"), domain.grant("15-17", container="app")]
    async with plugin_rig.running(*entries) as rig:
        await rig.kubelet.run(manifest)

        assert (rig.cores("uid-web", "side"), rig.cores("uid-web", "app")) == ("13-14", "15-17")


CHAINS = {
    "same size": ([4], 4, "4-7", ["4-7"]),
    "extended": ([2], 5, "8-12", ["8-9"]),
    "extended twice": ([1, 3], 6, "10-15", ["10", "10-12"]),
    "extended, then the same": ([2, 4], 4, "20-23", ["20-21", "20-23"]),
}


@pytest.mark.parametrize(("init", "app", "cores", "init_cores"), CHAINS.values(), ids=CHAINS.keys())
async def test_init_containers_use_the_beginning_of_the_chain(
    init: Sequence[int], app: int, cores: str, init_cores: list[str]
) -> None:
    names_of_init = tuple(f"init{number}" for number in range(len(init)))
    manifest = builders.make_pod(
        init_containers=[builders.container(name, cores=size) for name, size in zip(names_of_init, init, strict=True)],
        containers=[builders.container("app", cores=app)],
        node="w1",
    )
    neighbours = [domain.grant("0-1", "left"), domain.grant("26-31", "right")]
    async with plugin_rig.running(domain.grant(cores, init_containers=names_of_init), *neighbours) as rig:
        await rig.kubelet.run(manifest)

        assert [rig.cores("uid-web", each) for each in names_of_init] == init_cores
        assert rig.cores("uid-web") == cores
        assert rig.kubelet.created("uid-web", "app").environment[names.VISIBLE_CORES_ENV] == cores
        assert rig.kubelet.created("uid-web", "init0").environment[names.VISIBLE_CORES_ENV] == init_cores[0]
        await rig.store.until(lambda: [each["container"] for each in rig.held()] == ["app"])
        assert (rig.held()[0]["first"], rig.held()[0]["count"]) == (int(cores.split("-", maxsplit=1)[0]), app)


async def test_init_container_alone_does_not_steal_the_next_pods_call() -> None:
    """The container of this grant is never listed, so only our memory tells that it was served."""
    lonely = builders.make_pod(
        "lonely", init_containers=[builders.container("prepare", cores=2)], containers=[builders.container()], node="w1"
    )
    entries = [domain.grant("4-5", "lonely", container="prepare"), domain.grant("20-21")]
    async with plugin_rig.running(*entries) as rig:
        await rig.kubelet.run(lonely, builders.make_pod(cores=2, node="w1"))

        assert rig.cores("uid-lonely", "prepare") == "4-5"
        assert rig.cores("uid-web") == "20-21"


async def test_unmanaged_pod_gets_the_best_run_beside_every_grant() -> None:
    entries = [domain.grant("0-1", "a"), domain.grant("5-9", "b"), domain.grant("16-31", "c")]
    async with plugin_rig.running(*entries) as rig:
        await rig.kubelet.admit(builders.make_pod("stray", cores=3, node="w1"))

        assert rig.cores("uid-stray") == "2-4"
        assert rig.metric("steering_total", resource=names.CORE_RESOURCE, outcome="unmanaged") == 1


async def test_unmanaged_pod_without_a_run_beside_the_grants_is_refused_in_clear_words() -> None:
    entries = [domain.grant("0-14", "a"), domain.grant("17-31", "b")]
    async with plugin_rig.running(*entries) as rig:
        pod = (await rig.kubelet.admit(builders.make_pod("stray", cores=3, node="w1")))[0]

        assert "the largest free run is 2 (15-16)" in pod.message
        assert "neuronspan.dev/cores" in pod.message


async def test_grant_that_the_watch_has_not_brought_yet_is_read_on_the_spot() -> None:
    async with plugin_rig.running() as rig:
        rig.store.deafen()
        rig.grant(domain.grant("28-31"))
        await rig.kubelet.admit(builders.make_pod(cores=4, node="w1"))

        assert rig.cores("uid-web") == "28-31"


async def test_pod_is_steered_by_the_ledger_alone_when_pod_resources_does_not_answer() -> None:
    async with plugin_rig.running(domain.grant("28-31"), domain.grant("2-4", "other")) as rig:
        rig.kubelet.resources.failing = grpc.StatusCode.UNIMPLEMENTED
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))

        assert rig.cores("uid-web") == "28-31"


async def test_rejected_pod_does_not_keep_its_grant_from_the_next() -> None:
    """A pod that kubelet failed stays in its pod manager, without devices, and must not attract calls."""
    async with plugin_rig.running(domain.grant("4-7", "first"), domain.grant("8-11", "second")) as rig:
        rejected, *_ = await rig.kubelet.admit(builders.make_pod("first", cores=33, node="w1"))
        await rig.kubelet.run(builders.make_pod("second", cores=4, node="w1"))

        assert "unavailable" in rejected.message
        assert rig.cores("uid-second") == "8-11"


async def test_pod_whose_cores_kubelet_does_not_offer_goes_elsewhere_and_is_counted() -> None:
    async with plugin_rig.running(domain.grant("4-7", "old")) as rig:
        await rig.kubelet.run(builders.make_pod("old", cores=4, node="w1"))
        rig.change_ledger(rig.store.book().release(("uid-old", "app"), domain.LATER))
        rig.forget("uid-old")  # an operator that did not wait for the proof
        rig.grant(domain.grant("4-7", "new"))
        await rig.seen()
        await rig.kubelet.admit(builders.make_pod("new", cores=4, node="w1"))

        assert rig.cores("uid-new") != "4-7"
        assert rig.metric("steering_total", resource=names.CORE_RESOURCE, outcome="drift") == 1


async def test_static_pod_starts_once_it_is_adopted_under_kubelets_uid_for_it() -> None:
    """Kubelet's record, its control groups and its devices know nothing of the mirror's UID."""
    uid = builders.STATIC_UID
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.admit(builders.make_pod("stray-w1", cores=2, node="w1", uid=uid))
        rig.kubelet.groups.start(uid, model_kubelet.SANDBOX)
        cores = rig.cores(uid)
        await rig.store.until(lambda: [each["podUID"] for each in rig.held()] == [uid])
        with pytest.raises(model_kubelet.PreStartFailed, match="waiting for the operator to adopt the pod"):
            await rig.kubelet.start_container(uid, "app")
        rig.grant(domain.grant(cores, "stray-w1", pod_uid=uid, state=grants.GrantState.CONFIRMED))
        await rig.seen()
        await rig.kubelet.start_container(uid, "app")

        assert "app" in set(rig.kubelet.groups.processes(uid))
