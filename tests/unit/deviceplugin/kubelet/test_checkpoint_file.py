"""Reading kubelet's own record."""

import json
import pathlib

import pytest

from neuronspan import names
from neuronspan_deviceplugin import errors
from neuronspan_deviceplugin.allocation import pod_devices
from neuronspan_deviceplugin.kubelet import checkpoint_file


def _write(folder: pathlib.Path, entries: object) -> checkpoint_file.KubeletCheckpoint:
    content = {"Data": {"PodDeviceEntries": entries, "RegisteredDevices": {}}, "Checksum": 1}
    (folder / checkpoint_file.FILE).write_text(json.dumps(content))
    return checkpoint_file.KubeletCheckpoint(folder)


def _entry(resource: str = names.CORE_RESOURCE, ids: object = None) -> dict[str, object]:
    devices = {"-1": ["4", "5"]} if ids is None else ids
    return {"PodUID": "u", "ContainerName": "app", "ResourceName": resource, "DeviceIDs": devices, "AllocResp": ""}


def test_entries_of_our_resources_are_read(tmp_path: pathlib.Path) -> None:
    record = _write(tmp_path, [_entry(), _entry("nvidia.com/gpu"), _entry(names.DEVICE_RESOURCE, {"-1": ["3"]})])
    assert record.read() == (
        pod_devices.Assignment("u", "app", names.CORE_RESOURCE, frozenset({"4", "5"})),
        pod_devices.Assignment("u", "app", names.DEVICE_RESOURCE, frozenset({"3"})),
    )


def test_devices_of_several_numa_nodes_are_one_set(tmp_path: pathlib.Path) -> None:
    (found,) = _write(tmp_path, [_entry(ids={"0": ["4"], "1": ["5"]})]).read()
    assert found.ids == {"4", "5"}


@pytest.mark.parametrize("entries", [None, [], [_entry(ids={})]], ids=["null", "none", "without devices"])
def test_empty_record_is_nothing(tmp_path: pathlib.Path, entries: object) -> None:
    assert _write(tmp_path, entries).read() == ()


def test_missing_file_is_nothing(tmp_path: pathlib.Path) -> None:
    assert checkpoint_file.KubeletCheckpoint(tmp_path).read() == ()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"Data": 1}', '{"Data": {"PodDeviceEntries": [{}]}}'], ids=range(5)
)
def test_unreadable_record_is_an_error_and_not_an_empty_one(tmp_path: pathlib.Path, content: str) -> None:
    (tmp_path / checkpoint_file.FILE).write_text(content)
    with pytest.raises(errors.KubeletRecordUnreadable, match="PodResources alone"):
        checkpoint_file.KubeletCheckpoint(tmp_path).read()
