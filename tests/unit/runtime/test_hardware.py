import json
import pathlib

import pytest

from neuronspan import instance_types, spans
from neuronspan_runtime import environment, errors, hardware

INF1 = instance_types.hardware_of("inf1.6xlarge")


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
    assert machine == hardware.Machine(INF1, node_directory, prepared=True)
    assert machine.lock_file(3) == node_directory / "cores" / "3.lock"
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
