"""What a container gets, as CDI entries and as plain fields."""

import json
import pathlib
from typing import Any

import pytest

from kits.kubelet import node_parts
from kits.manifests import domain
from neuronspan import grants, instance_types, names
from neuronspan_deviceplugin.allocation import container_edits
from neuronspan_deviceplugin.host import cdi
from neuronspan_deviceplugin.tree import trees

HARDWARE = instance_types.hardware_of("inf2.24xlarge")  # 12 cores on 6 devices
VISIBLE, COUNT = grants.EnvMode.VISIBLE, grants.EnvMode.COUNT


@pytest.mark.parametrize(
    ("mode", "numbering", "told"),
    [
        (VISIBLE, "node", {names.VISIBLE_CORES_ENV: "4-7"}),
        (VISIBLE, "container", {names.VISIBLE_CORES_ENV: "0-3"}),
        (COUNT, "node", {names.NUM_CORES_ENV: "4", names.VISIBLE_CORES_ENV: ""}),
        (COUNT, "container", {names.NUM_CORES_ENV: "4", names.VISIBLE_CORES_ENV: ""}),
    ],
)
def test_environment_always_has_the_fence(mode: grants.EnvMode, numbering: str, told: dict[str, str]) -> None:
    fence = {names.GRANT_ENV: "4-7", names.CORE_NUMBERING_ENV: numbering}
    assert container_edits.environment(domain.span("4-7"), mode, numbering) == told | fence


def test_groups_are_told_to_the_container_that_has_all_cores() -> None:
    grant = domain.grant("4-7", group_sizes="3,1", init_containers=("init",))
    assert container_edits.group_environment(grant, grant.span) == {names.GROUP_SIZES_ENV: "3,1"}
    assert container_edits.group_environment(grant, domain.span("4-5")) == {}
    assert container_edits.group_environment(None, grant.span) == {}


def test_cdi_names_are_environment_locks_and_every_touched_device() -> None:
    found = container_edits.cdi_devices(domain.span("5-6"), VISIBLE, HARDWARE, "node")
    assert found == (
        "neuronspan.dev/cores=5-6", "neuronspan.dev/core=5", "neuronspan.dev/core=6",
        "neuronspan.dev/device=2", "neuronspan.dev/device=3",
    )  # fmt: skip
    renumbered = container_edits.cdi_devices(domain.span("5-6"), VISIBLE, HARDWARE, "container")
    assert renumbered == (*found[:3], "neuronspan.dev/device=2-as-0", "neuronspan.dev/device=3-as-1")
    assert container_edits.cdi_devices(domain.span("4"), COUNT, HARDWARE, "node")[0] == "neuronspan.dev/count=4"


def _entries() -> dict[str, dict[str, dict[str, object]]]:
    return {kind: _named(each) for kind, each in _documents(HARDWARE, "node", node_parts.named(HARDWARE)).items()}


def _documents(hardware: instance_types.Hardware, numbering: str, node: cdi.Node) -> dict[str, Any]:
    read = (json.loads(b"".join(each.parts())) for each in cdi.documents(hardware, numbering, node))
    return {each["kind"]: each for each in read}


def _named(document: dict[str, Any]) -> dict[str, dict[str, object]]:
    return {each["name"]: each["containerEdits"] for each in document["devices"]}


def test_catalogue_has_every_run_in_both_modes_and_every_core_and_device() -> None:
    entries = _entries()
    assert {kind: len(devices) for kind, devices in entries.items()} == {
        names.CDI_CORES_KIND: 78, names.CDI_COUNT_KIND: 78, names.CDI_CORE_KIND: 12, names.CDI_DEVICE_KIND: 21,
    }  # fmt: skip


@pytest.mark.parametrize("mode", grants.EnvMode)
@pytest.mark.parametrize("numbering", names.CORE_NUMBERINGS)
@pytest.mark.parametrize("cores", ["0-11", "11", "2-9"])
def test_every_name_an_answer_can_carry_is_in_the_catalogue(mode: grants.EnvMode, numbering: str, cores: str) -> None:
    """Whatever the numbering is when it is written: containers that restart bring the names of their first start."""
    entries = _entries()
    for name in container_edits.cdi_devices(domain.span(cores), mode, HARDWARE, numbering):
        kind, _, device = name.partition("=")
        assert device in entries[kind]


DEVICE = ["ro", "nosuid", "noexec", "bind"]
"""Without ``ro`` a pod's root could change the mode of the host's own /dev/null, for everybody on the node."""


def test_catalogue_entries_are_a_read_only_lock_and_devices_that_need_no_node_of_the_host() -> None:
    entries = _entries()
    assert entries[names.CDI_CORE_KIND]["4"] == {
        "mounts": [
            {
                "hostPath": "/run/neuronspan/cores/4.lock",
                "containerPath": "/run/neuronspan/cores/4.lock",
                "options": ["ro", "nosuid", "nodev", "bind"],
            }
        ]
    }
    assert entries[names.CDI_DEVICE_KIND]["3"] == {
        "mounts": [{"hostPath": "/dev/null", "containerPath": "/dev/neuron3", "options": DEVICE}]
    }
    assert entries[names.CDI_DEVICE_KIND]["3-as-0"] == {
        "mounts": [{"hostPath": "/dev/null", "containerPath": "/dev/neuron0", "options": DEVICE}]
    }


def test_catalogue_is_written_once_and_readable(tmp_path: pathlib.Path) -> None:
    catalogue = cdi.Catalogue(tmp_path / "cdi", node_parts.named(HARDWARE))
    assert catalogue.write(HARDWARE, "node") == 4
    before = {each: each.stat().st_mtime_ns for each in (tmp_path / "cdi").iterdir()}
    assert catalogue.write(HARDWARE, "node") == 0
    assert {each: each.stat().st_mtime_ns for each in (tmp_path / "cdi").iterdir()} == before
    assert all(each.stat().st_mode & 0o777 == 0o644 for each in before)
    assert catalogue.write(HARDWARE, "container") == 2


def test_catalogue_replaces_a_half_written_document(tmp_path: pathlib.Path) -> None:
    catalogue = cdi.Catalogue(tmp_path, node_parts.named(HARDWARE))
    catalogue.write(HARDWARE, "node")
    (path := tmp_path / "neuronspan.dev-core.json").write_text('{"cdi')
    assert catalogue.write(HARDWARE, "node") == 1
    assert json.loads(path.read_text())["kind"] == names.CDI_CORE_KIND


def test_catalogue_of_a_large_node_stays_in_bounds() -> None:
    """64 cores have 2 080 runs, in two modes; container runtimes read all of it."""
    documents = _documents(instance_types.hardware_of("trn2.48xlarge"), "node", node_parts.named())
    assert len(documents[names.CDI_CORES_KIND]["devices"]) == 2080
    assert sum(len(json.dumps(each)) for each in documents.values()) < 2_000_000


def test_plain_answer_carries_what_cdi_would() -> None:
    nodes = node_parts.nodes()
    edits = container_edits.plain(domain.span("5-6"), {"A": "b"}, HARDWARE, "node", node_parts.RUN, nodes)
    assert [(each.container_path, each.device) for each in edits.mounts] == [
        ("/run/neuronspan/hardware.json", False),
        ("/run/neuronspan/cores/5.lock", False),
        ("/run/neuronspan/cores/6.lock", False),
        ("/dev/neuron2", True),
        ("/dev/neuron3", True),
    ]
    assert (edits.cdi_devices, edits.devices) == ((), ())
    renumbered = container_edits.plain(domain.span("5-6"), {"A": "b"}, HARDWARE, "container", node_parts.RUN, nodes)
    assert [each.container_path for each in renumbered.mounts if each.device] == ["/dev/neuron0", "/dev/neuron1"]


REAL = {device: trees.DeviceNode(f"/dev/neuron{device}", 245, device) for device in range(HARDWARE.devices)}


@pytest.mark.parametrize(("numbering", "shown"), [("node", (2, 3)), ("container", (0, 1))])
def test_real_devices_are_devices_with_the_kernels_numbers_whatever_the_container_calls_them(
    numbering: str, shown: tuple[int, int]
) -> None:
    edits = container_edits.plain(domain.span("5-6"), {"A": "b"}, HARDWARE, numbering, node_parts.RUN, REAL)
    assert edits.devices == tuple(
        container_edits.Device(f"/dev/neuron{device}", f"/dev/neuron{number}", 245, device)
        for device, number in zip((2, 3), shown, strict=True)
    )
    assert not any(each.device for each in edits.mounts)


def test_catalogue_entry_of_a_real_device_is_the_hosts_node_under_the_containers_number() -> None:
    entries = _named(_documents(HARDWARE, "container", cdi.Node(node_parts.RUN, REAL))[names.CDI_DEVICE_KIND])
    made = {"type": "c", "major": 245, "minor": 3, "permissions": "rw", "hostPath": "/dev/neuron3"}
    assert entries["3"] == {"deviceNodes": [{"path": "/dev/neuron3", **made}]}
    assert entries["3-as-0"] == {"deviceNodes": [{"path": "/dev/neuron0", **made}]}


def test_real_device_is_mounted_beside_a_node_at_a_path_that_the_host_has_when_asked(tmp_path: pathlib.Path) -> None:
    """Given to runc by hand: the container opens it under its own number, with a user namespace and without."""
    node = cdi.Node(tmp_path, REAL, mounts_devices=True)
    link = tmp_path / "devices" / "3"
    entries = _named(_documents(HARDWARE, "container", node)[names.CDI_DEVICE_KIND])
    numbers = {"type": "c", "major": 245, "minor": 3, "permissions": "rw", "hostPath": "/dev/neuron3"}
    mounted = {
        "hostPath": "/dev/neuron3",
        "containerPath": "/dev/neuron0",
        "options": ["ro", "nosuid", "noexec", "bind"],
    }
    assert entries["3-as-0"] == {"deviceNodes": [{"path": str(link), **numbers}], "mounts": [mounted]}

    catalogue = cdi.Catalogue(tmp_path / "cdi", node)
    catalogue.write(HARDWARE, "container")
    assert str(link.readlink()) == "/dev/neuron3"
    catalogue.renew({3: trees.DeviceNode("/dev/neuron7", 245, 7)})
    assert str(link.readlink()) == "/dev/neuron7"


def test_simulated_devices_are_mounted_as_ever(tmp_path: pathlib.Path) -> None:
    node = cdi.Node(tmp_path, node_parts.nodes(2), mounts_devices=True)
    entries = _named(_documents(HARDWARE, "node", node)[names.CDI_DEVICE_KIND])
    assert [set(each) for each in entries.values()] == [{"mounts"}] * 3
