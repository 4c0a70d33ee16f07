"""Settings: flag beats environment beats default, and all problems at once."""

import dataclasses
import json
import logging

import pytest

from neuronspan_deviceplugin import config, errors, logs


def test_defaults_need_the_node_name_only() -> None:
    settings = config.load(["--node-name", "w1"], {})
    assert settings.kubelet_socket.as_posix() == "/var/lib/kubelet/device-plugins/kubelet.sock"
    assert settings.effective().keys() == {field.name for field in dataclasses.fields(config.Settings)}


def test_flag_beats_variable_beats_default() -> None:
    environment = {"NEURONSPAN_NODE_NAME": "w1", "NEURONSPAN_PROBE_PORT": "9000", "NEURONSPAN_POLL_SECONDS": "2"}
    settings = config.load(["--probe-port", "9001"], environment)
    assert (settings.node_name, settings.probe_port, settings.poll_seconds) == ("w1", 9001, 2.0)


def test_every_setting_has_both_ways() -> None:
    values = {
        "node_name": "w1", "kubelet_directory": "/a", "pod_resources_socket": "/b", "cdi": "false",
        "cdi_directory": "/c", "run_directory": "/d", "checkpoint": "/e", "cgroup_root": "/f",
        "core_numbering": "container", "probe_port": "1", "poll_seconds": "3", "start_wait_seconds": "4",
        "kubeconfig": "/g", "log_level": "debug", "log_format": "text",
    }  # fmt: skip
    flags = [part for name, value in values.items() for part in (config.flag(name), value)]
    by_flag = config.load(flags, {})
    assert by_flag == config.load([], {config.variable(name): value for name, value in values.items()})
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


def _record(**extra: object) -> logging.LogRecord:
    record = logging.makeLogRecord({"name": "agent", "levelname": "INFO", "msg": "steered", "created": 0.5})
    record.__dict__.update(extra)
    return record


def test_json_line_has_the_words_and_the_facts() -> None:
    line = json.loads(logs.JsonFormatter().format(_record(cores="4-7", path=dataclasses)))
    assert line["message"] == "steered"
    assert line["time"] == "1970-01-01T00:00:00.500Z"
    assert line["cores"] == "4-7"


def test_text_line_has_the_words_and_the_facts() -> None:
    assert logs.TextFormatter().format(_record(cores="4-7")) == "1970-01-01T00:00:00.500Z info    steered cores=4-7"
