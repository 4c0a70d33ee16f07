"""The node agent's own settings, and what contradicts what."""

import dataclasses

import pytest

from neuronspan_agent import errors, settings
from neuronspan_deviceplugin import config


def test_defaults_need_the_node_name_only() -> None:
    loaded = config.load(["--node-name", "w1"], {})
    assert loaded == config.Settings(node_name="w1")
    assert loaded.kubelet_socket.as_posix() == "/var/lib/kubelet/device-plugins/kubelet.sock"


def test_every_setting_has_both_ways() -> None:
    values = {
        "node_name": "w1", "kubelet_directory": "/a", "pod_resources_socket": "/b", "cdi": "false",
        "cdi_directory": "/c", "run_directory": "/d", "selinux_label": "u:r:t", "checkpoint": "/e", "cgroup_root": "/f",
        "core_numbering": "container", "sysfs_root": "/s", "dev_root": "/v", "dmi_root": "/m",
        "logical_cores_file": "/l", "show_devices": "false", "mount_devices": "true", "probe_port": "1",
        "poll_seconds": "3", "start_wait_seconds": "4", "kubeconfig": "/g", "log_level": "debug", "log_format": "text",
    }  # fmt: skip
    flags = [part for name, value in values.items() for part in (settings.flag(name), value)]
    by_flag = config.load(flags, {})
    assert by_flag == config.load([], {settings.variable(name): value for name, value in values.items()})
    assert {name: str(value).lower() for name, value in dataclasses.asdict(by_flag).items()} == values | {
        "poll_seconds": "3.0",
        "start_wait_seconds": "4.0",
    }


def test_all_problems_are_told_at_once_with_their_source() -> None:
    environment = {
        "NEURONSPAN_CDI": "perhaps",
        "NEURONSPAN_CGROUP_ROOT": "sys",
        "NEURONSPAN_START_WAIT_SECONDS": "30",
        "NEURONSPAN_CHECKPOINT": "/x/kubelet_internal_checkpoint",
    }
    with pytest.raises(errors.InvalidSettings) as refusal:
        config.load(["--probe-port", "70000", "--log-level", "loud"], environment)
    problems = " ".join(refusal.value.problems)
    assert len(refusal.value.problems) == 7
    for name in ("--node-name", "NEURONSPAN_CDI", "NEURONSPAN_CGROUP_ROOT", "NEURONSPAN_START_WAIT_SECONDS",
                 "--checkpoint", "--probe-port", "--log-level"):  # fmt: skip
        assert name in problems
