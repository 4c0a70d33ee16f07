import json
import pathlib

import pytest

from neuronspan import instance_types, spans
from neuronspan_runtime import environment, errors, nrt_status
from neuronspan_runtime.cores import hardware

INF1 = instance_types.hardware_of("inf1.6xlarge")
GRANT = spans.CoreSpan(4, 4)


@pytest.fixture
def absent(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "no-node-directory"


@pytest.fixture
def node_directory(tmp_path: pathlib.Path) -> pathlib.Path:
    directory = tmp_path / "run"
    directory.mkdir()
    (directory / "hardware.json").write_text(json.dumps(INF1.to_dict()))
    return directory


def settings(tmp_path: pathlib.Path, **values: object) -> environment.Environment:
    return environment.Environment(state_directory=tmp_path / "state", **values)  # type: ignore[arg-type]


def trn2_node(directory: pathlib.Path, logical_core_size: int) -> pathlib.Path:
    """The node directory of a machine that shows its cores so."""
    shown = instance_types.hardware_of("trn2.48xlarge", logical_core_size)
    (directory / "hardware.json").write_text(json.dumps(shown.to_dict()))
    return directory


def test_hardware_is_a_trn1_32xlarge_outside_a_cluster_when_nothing_is_said(
    tmp_path: pathlib.Path, absent: pathlib.Path
) -> None:
    machine = hardware.find(settings(tmp_path), absent)
    assert machine.hardware == instance_types.hardware_of("trn1.32xlarge")
    assert machine.directory == tmp_path / "state"
    assert machine.core_directory.is_dir()
    assert not machine.prepared


def test_hardware_follows_instance_type_and_logical_core_size(tmp_path: pathlib.Path, absent: pathlib.Path) -> None:
    machine = hardware.find(settings(tmp_path, instance_type="trn2.48xlarge", logical_core_size=1), absent)
    assert (machine.hardware.cores, machine.hardware.logical_core_size) == (128, 1)


@pytest.mark.parametrize(
    ("instance_type", "machines", "joined", "cores", "locks"),
    [
        pytest.param("trn2.48xlarge", None, None, 64, 2, id="Trn2 joins two by default"),
        pytest.param("trn2.48xlarge", None, 1, 128, 1, id="the process wants them apart"),
        pytest.param("trn2.48xlarge", 1, 2, 64, 2, id="the process's variable beats the machine's"),
        pytest.param("trn3.48xlarge", None, None, 64, 2, id="Trn3 joins two by default"),
        pytest.param("trn1.32xlarge", None, 2, 32, 1, id="Trn1 cannot join cores and does not read it"),
        pytest.param("inf2.24xlarge", None, 2, 12, 1, id="neither can Inf2"),
    ],
)
def test_hardware_counts_cores_as_the_process_joins_them(
    instance_type: str,
    machines: int | None,
    joined: int | None,
    cores: int,
    locks: int,
    tmp_path: pathlib.Path,
    absent: pathlib.Path,
) -> None:
    asked = settings(tmp_path, instance_type=instance_type, logical_core_size=machines, logical_config=joined)
    machine = hardware.find(asked, absent)
    assert (machine.hardware.cores, machine.scope.count, machine.locks_per_core) == (cores, cores, locks)


def test_cores_joined_by_a_process_on_a_simulated_machine_are_locked_as_their_physical_cores(
    tmp_path: pathlib.Path, absent: pathlib.Path
) -> None:
    machine = hardware.find(settings(tmp_path, instance_type="trn2.48xlarge"), absent)
    assert [path.name for path in machine.lock_files(3)] == ["6.lock", "7.lock"]


@pytest.mark.parametrize(
    ("shown", "wanted", "cores_per_device", "scope", "locks"),
    [
        pytest.param(2, None, 4, "4-7", ["4.lock"], id="as the node shows them"),
        pytest.param(2, 2, 4, "4-7", ["4.lock"], id="said again"),
        pytest.param(1, 2, 4, "2-3", ["4.lock", "5.lock"], id="two of the node's cores joined"),
    ],
)
def test_hardware_of_a_pod_joins_the_cores_it_was_granted(
    shown: int,
    wanted: int | None,
    cores_per_device: int,
    scope: str,
    locks: list[str],
    tmp_path: pathlib.Path,
) -> None:
    machine = hardware.find(settings(tmp_path, logical_config=wanted, grant=GRANT), trn2_node(tmp_path, shown))
    assert (machine.hardware.cores_per_device, str(machine.scope)) == (cores_per_device, scope)
    assert machine.hardware.hbm_bytes_per_core == 24 * 2**30
    assert [path.name for path in machine.lock_files(machine.scope.first)] == locks


def test_hardware_of_a_pod_cannot_part_the_nodes_cores(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.HardwareUnknown, match="2 physical cores each, which cannot be parted"):
        hardware.find(settings(tmp_path, logical_config=1, grant=GRANT), trn2_node(tmp_path, 2))


@pytest.mark.parametrize("grant", [spans.CoreSpan(3, 2), spans.CoreSpan(4, 3)], ids=str)
def test_process_does_not_start_on_half_a_joined_core(grant: spans.CoreSpan, tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.StartRefused) as caught:
        hardware.find(settings(tmp_path, logical_config=2, grant=grant), trn2_node(tmp_path, 1))
    assert caught.value.status == nrt_status.NrtStatus.INVALID
    (line,) = caught.value.lines
    assert line.startswith("Cannot start process with LNC Size of 2.")
    assert line.endswith(f"NEURON_RT_VISIBLE_CORES={grant.first}-{grant.last}")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"instance_type": "p4d.24xlarge"}, "p4d.24xlarge", id="no Neuron device"),
        pytest.param({"instance_type": "trn1.2xlarge", "logical_core_size": 2}, "trn1.2xlarge", id="no such size"),
        pytest.param({"grant": spans.CoreSpan(30, 4)}, "the grant 30-33 is not on this machine", id="past the end"),
    ],
)
def test_hardware_refuses_what_cannot_exist(
    values: dict[str, object], message: str, tmp_path: pathlib.Path, absent: pathlib.Path
) -> None:
    with pytest.raises(errors.HardwareUnknown, match=message):
        hardware.find(settings(tmp_path, **values), absent)


def test_hardware_comes_from_the_node_directory_in_a_pod(tmp_path: pathlib.Path, node_directory: pathlib.Path) -> None:
    machine = hardware.find(settings(tmp_path), node_directory)
    assert machine == hardware.Machine(INF1, node_directory, prepared=True, scope=spans.CoreSpan(0, 16))
    assert machine.lock_files(3) == (node_directory / "cores" / "3.lock",)
    assert not (tmp_path / "state").exists()


def test_hardware_of_the_node_beats_a_state_directory_that_a_pod_made_up(
    tmp_path: pathlib.Path, node_directory: pathlib.Path
) -> None:
    invented = instance_types.hardware_of("trn1.32xlarge")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "hardware.json").write_text(json.dumps(invented.to_dict()))
    assert hardware.find(settings(tmp_path), node_directory).hardware == INF1


def test_hardware_refuses_another_instance_type_in_a_pod(tmp_path: pathlib.Path, node_directory: pathlib.Path) -> None:
    with pytest.raises(
        errors.HardwareUnknown, match=r"is a inf1\.6xlarge, but NEURONSPAN_INSTANCE_TYPE says trn1\.2xlarge"
    ):
        hardware.find(settings(tmp_path, instance_type="trn1.2xlarge"), node_directory)


@pytest.mark.parametrize("text", ["{", "[]", '{"instanceType": "inf1.6xlarge"}', "7"])
def test_hardware_refuses_a_broken_description(text: str, tmp_path: pathlib.Path, node_directory: pathlib.Path) -> None:
    (node_directory / "hardware.json").write_text(text)
    with pytest.raises(errors.HardwareUnknown, match=r"hardware\.json does not describe a machine"):
        hardware.find(settings(tmp_path), node_directory)


def test_hardware_chooses_a_private_directory_of_this_user(
    tmp_path: pathlib.Path, absent: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    machine = hardware.find(environment.Environment(), absent)
    assert machine.directory.parent == tmp_path
    assert machine.directory.stat().st_mode & 0o777 == 0o700
    assert hardware.find(environment.Environment(), absent) == machine


def test_hardware_refuses_a_default_directory_that_others_can_write(
    tmp_path: pathlib.Path, absent: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    hardware.find(environment.Environment(), absent).directory.chmod(0o777)
    with pytest.raises(errors.HardwareUnknown, match="set NEURONSPAN_STATE_DIR to a directory of your own"):
        hardware.find(environment.Environment(), absent)
