"""The tools as a user runs them, beside real processes that run real compiled models."""

import json
import pathlib
import threading
import typing
import urllib.request
import xml.etree.ElementTree as ET

import pytest
import torch

from kits.device import neuron_models, neuron_processes, neuron_tools
from neuronspan import instance_types
from neuronspan_runtime.device import device_module
from neuronspan_runtime.tools.neuron_top import frame

pytestmark = pytest.mark.timeout(300)

keep: list[object] = []
TOOLS = ["neuron-ls", "neuron-top", "neuron-monitor", "neuron-monitor-prometheus"]
CONFIG = {
    "period": "50ms",
    "neuron_runtimes": [{"tag_filter": "shop", "metrics": [{"type": "neuroncore_counters"}, {"type": "memory_used"}]}],
    "system_metrics": [{"type": "memory_info"}],
}


def serve(models: pathlib.Path, cores: int) -> int:
    """Run a model again and again, until the test ends."""
    model = neuron_models.load(models, cores)
    keep.extend([model, torch.zeros(1024, device="neuron:0")])
    ready = threading.Event()

    def loop() -> None:
        while True:
            model(neuron_models.example())
            ready.set()

    threading.Thread(target=loop, daemon=True).start()
    ready.wait()
    return cores


@pytest.fixture
def shop(
    processes: neuron_processes.Parent, machine: dict[str, str], model_files: pathlib.Path
) -> typing.Iterator[tuple[dict[str, str], int]]:
    """A process named shop on cores 4 and 5 that works all the time; the environment of the machine, and its number."""
    variables = machine | {"NEURON_RT_VISIBLE_CORES": "4-5", "NEURON_PROCESS_TAG": "shop"}
    with processes.start(variables, serve, model_files, 2) as process:
        process.outcome()
        yield machine, process.pid


@pytest.mark.parametrize("tool", TOOLS)
def test_tool_starts_without_torch(tool: str) -> None:
    assert not neuron_tools.imported_modules(tool) & {"torch", "numpy"}


@pytest.mark.parametrize("tool", TOOLS)
def test_tool_explains_itself(tool: str, machine: dict[str, str]) -> None:
    shown = neuron_tools.run(machine, tool, "--help")
    assert shown.stdout.startswith(f"Usage: {tool}")


def test_neuron_ls_shows_the_process_and_its_command(shop: tuple[dict[str, str], int]) -> None:
    machine, pid = shop
    shown = neuron_tools.run(machine, "neuron-ls").stdout.splitlines()
    (line,) = (line for line in shown if str(pid) in line.split())
    assert line.split("|")[1:5] == [" 1      ", " 4      ", " 4-7      ", " 8 GB   "]
    assert line.rstrip(" |").endswith("0.1.0")
    assert shown[0] == "instance-type: inf1.6xlarge"


def test_neuron_ls_json_can_be_read_by_programs(shop: tuple[dict[str, str], int]) -> None:
    machine, pid = shop
    devices = json.loads(neuron_tools.run(machine, "neuron-ls", "--json-output").stdout)
    assert [device["neuron_device"] for device in devices] == [0, 1, 2, 3]
    assert [process["pid"] for process in devices[1]["neuron_processes"]] == [pid]
    assert devices[0]["neuron_processes"] == []


def test_neuron_ls_shows_itself_among_all_processes(machine: dict[str, str]) -> None:
    devices = json.loads(neuron_tools.run(machine, "neuron-ls", "-a", "-j").stdout)
    assert [process["neuron_runtime_version"] for process in devices[2]["neuron_processes"]] == ["NA"]


def test_neuron_ls_draws_topology_and_map(machine: dict[str, str], tmp_path: pathlib.Path) -> None:
    drawn = neuron_tools.run(machine, "neuron-ls", "-t").stdout
    assert "Neuron Device Topology" in drawn
    neuron_tools.run(machine, "neuron-ls", "--svg", str(tmp_path / "map.svg"))
    assert ET.parse(tmp_path / "map.svg").getroot().tag.endswith("svg")  # noqa: S314 - our own output


def test_tools_say_what_is_wrong_with_the_machine(machine: dict[str, str]) -> None:
    for tool in ("neuron-ls", "neuron-top", "neuron-monitor"):
        shown = neuron_tools.run(machine | {"NEURONSPAN_INSTANCE_TYPE": "p4d.24xlarge"}, tool)
        assert (shown.returncode, shown.stdout) == (1, "")
        assert "Error: instance type 'p4d.24xlarge' is not known" in shown.stderr


def test_neuron_monitor_reports_the_running_process(shop: tuple[dict[str, str], int], tmp_path: pathlib.Path) -> None:
    machine, pid = shop
    config = neuron_tools.scratch(tmp_path, "monitor.conf", json.dumps(CONFIG))
    with neuron_tools.started(machine, "neuron-monitor", "-c", config) as monitor:
        assert monitor.stdout is not None
        _, *reports = (json.loads(monitor.stdout.readline()) for _ in range(4))
        monitor.stdout.close()
        assert monitor.wait() == 0
    (process,) = reports[-1]["neuron_runtime_data"]
    assert (process["pid"], process["neuron_runtime_tag"]) == (pid, "shop")
    cores = process["report"]["neuroncore_counters"]["neuroncores_in_use"]
    assert list(cores) == ["4", "5"]
    assert any(report["neuron_runtime_data"][0]["report"]["neuroncore_counters"]["neuroncores_in_use"]["4"]
               ["neuroncore_utilization"] > 0 for report in reports)  # fmt: skip
    memory = process["report"]["memory_used"]
    assert memory["neuron_runtime_used_bytes"]["usage_breakdown"]["neuroncore_memory_usage"]["4"]["tensors"] == 4096
    assert [model["name"] for model in memory["loaded_models"]] == ["Small"]
    assert list(memory["loaded_models"][0]["subgraphs"]) == ["sg_00", "sg_01"]


def test_neuron_monitor_refuses_a_wrong_configuration(machine: dict[str, str], tmp_path: pathlib.Path) -> None:
    for content, problem in (("{", "is not JSON"), ('{"period": "soon"}', "period of the configuration is 'soon'")):
        config = neuron_tools.scratch(tmp_path, "monitor.conf", content)
        shown = neuron_tools.run(machine, "neuron-monitor", "-c", config)
        assert shown.returncode == 1
        assert problem in shown.stderr


def test_prometheus_gets_what_the_monitor_reports(shop: tuple[dict[str, str], int], tmp_path: pathlib.Path) -> None:
    machine, _ = shop
    config = neuron_tools.scratch(tmp_path, "monitor.conf", json.dumps(CONFIG))
    with neuron_tools.started(machine, "neuron-monitor", "-c", config) as monitor:
        assert monitor.stdout is not None
        lines = [monitor.stdout.readline() for _ in range(2)]
    with neuron_tools.started(machine, "neuron-monitor-prometheus", "--port", "0") as exporter:
        assert exporter.stdin is not None
        assert exporter.stderr is not None
        port = exporter.stderr.readline().split()[-1]
        exporter.stdin.write("".join([*lines, "{}\n"]))
        exporter.stdin.flush()
        assert "line 3 is no report" in exporter.stderr.readline()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            served = answer.read().decode()
        exporter.stdin.close()
        assert exporter.wait() == 0
    assert 'runtime_tag="shop"' in served
    assert "neuroncore_utilization_ratio{" in served
    assert "system_memory_total_bytes{" in served


def test_neuron_top_prints_one_picture_into_a_pipe(shop: tuple[dict[str, str], int]) -> None:
    machine, pid = shop
    shown = neuron_tools.run(machine, "neuron-top", "--period", "0.1")
    assert shown.returncode == 0
    assert f"shop ({pid})" in shown.stdout
    assert "\x1b" not in shown.stdout


def test_neuron_top_obeys_keys_in_a_terminal(shop: tuple[dict[str, str], int]) -> None:
    machine, pid = shop
    terminal = neuron_tools.Terminal(machine, "neuron-top")
    terminal.wait_for("NeuronCore 5")
    terminal.press("x")
    terminal.wait_for(f"[+] shop ({pid})")
    terminal.press("2")
    terminal.wait_for(">shop<")
    terminal.press("q")
    assert terminal.end() == 0


def test_container_is_shown_its_own_cores_only(
    processes: neuron_processes.Parent, model_files: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Two containers of a node: their files are the node's, each has those of its cores."""
    node, pods = tmp_path / "node", (tmp_path / "first", tmp_path / "second")
    (node / "cores").mkdir(parents=True)
    described = json.dumps(instance_types.hardware_of("inf1.xlarge").to_dict())
    (node / "hardware.json").write_text(described)
    for core in range(4):
        (node / "cores" / f"{core}.lock").touch(mode=0o444)
    for pod, cores in zip(pods, ((0, 1), (2, 3)), strict=True):
        (pod / "cores").mkdir(parents=True)
        for core in cores:
            (pod / "cores" / f"{core}.lock").hardlink_to(node / "cores" / f"{core}.lock")
        (pod / "hardware.json").write_text(described)
    first, second = ({"NEURONSPAN_STATE_DIR": str(pod)} for pod in pods)
    with (
        processes.start(first | {"NEURONSPAN_GRANT": "0-1", "NEURON_PROCESS_TAG": "one"}, serve, model_files, 1) as one,
        processes.start(
            second | {"NEURONSPAN_GRANT": "2-3", "NEURON_PROCESS_TAG": "two"}, serve, model_files, 1
        ) as two,
    ):
        assert [process.outcome().value for process in (one, two)] == [1, 1]
        shown = {
            name: json.loads(neuron_tools.run(variables, "neuron-ls", "-j").stdout)
            for name, variables in {"node": {"NEURONSPAN_STATE_DIR": str(node)}, "first": first}.items()
        }
        assert [len(device["neuron_processes"]) for device in shown["node"]] == [2]
        (device,) = shown["first"]
        assert (device["neuroncore_ids"], device["nc_count"]) == ([0, 1], 2)
        assert [process["pid"] for process in device["neuron_processes"]] == [one.pid]


@pytest.mark.parametrize(
    ("instance_type", "connected", "cores", "memory"),
    [
        pytest.param("trn2.48xlarge", {0: [12, 3, 4, 1], 15: [11, 14, 3, 12]}, 4, 103079215104, id="torus"),
        pytest.param("inf2.48xlarge", {0: [11, 1], 11: [10, 0]}, 2, 34359738368, id="ring"),
        pytest.param("inf2.24xlarge", {0: [1], 5: [4]}, 2, 34359738368, id="line"),
        pytest.param("inf2.xlarge", {0: None}, 2, 34359738368, id="one device"),
    ],
)
def test_neuron_ls_tells_the_devices_of_a_real_instance(
    instance_type: str,
    connected: dict[int, list[int] | None],
    cores: int,
    memory: int,
    machine: dict[str, str],
) -> None:
    node = {"NEURONSPAN_STATE_DIR": machine["NEURONSPAN_STATE_DIR"], "NEURONSPAN_INSTANCE_TYPE": instance_type}
    devices = json.loads(neuron_tools.run(node, "neuron-ls", "-j").stdout)
    assert {index: devices[index]["connected_to"] for index in connected} == connected
    assert [device["neuron_device"] for device in devices] == list(range(max(connected) + 1))
    for device in devices:
        assert {key: type(value).__name__ for key, value in device.items() if key != "connected_to"} == {
            "instance_type": "str", "instance_id": "str", "neuron_device": "int", "bdf": "str",
            "cpu_affinity": "str", "numa_node": "str", "nc_count": "int",
            "logical_neuroncore_config": "int", "memory_size": "int", "neuroncore_ids": "list",
            "neuron_processes": "list",
        }  # fmt: skip
        assert (device["nc_count"], device["memory_size"], device["neuron_processes"]) == (cores, memory, [])
        first = device["neuron_device"] * cores
        assert device["neuroncore_ids"] == list(range(first, first + cores))


def with_memory(models: pathlib.Path) -> dict[int, tuple[int, int]]:
    """Hold a two-core model and tensors; return what each core says is in use, and in models."""
    keep.extend(
        [neuron_models.load(models, 2), *(torch.zeros(5000 * core, device=f"neuron:{core}") for core in (1, 3))]
    )
    stats = {core: device_module.memory_stats(core) for core in range(4)}
    return {core: (found["allocated_bytes"]["current"], found["model_bytes"]) for core, found in stats.items()}


@pytest.mark.parametrize("instance_type", ["inf1.xlarge", "trn1.32xlarge"])
def test_every_report_of_memory_says_the_same_and_nothing_after_the_end(
    instance_type: str, processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    node = {"NEURONSPAN_STATE_DIR": machine["NEURONSPAN_STATE_DIR"], "NEURONSPAN_INSTANCE_TYPE": instance_type}
    with processes.start(node | {"NEURON_RT_NUM_CORES": "4"}, with_memory, model_files) as process:
        told = process.outcome().value
        used = _reported(node)["neuron_runtime_data"][0]["report"]["memory_used"]
        shown = neuron_tools.run(node, "neuron-top", "--period", "0.01").stdout
    cores = used["neuron_runtime_used_bytes"]["usage_breakdown"]["neuroncore_memory_usage"]
    assert {int(core): sum(purposes.values()) for core, purposes in cores.items()} == {
        core: allocated for core, (allocated, _) in told.items()
    }
    assert {int(core): purposes["constants"] for core, purposes in cores.items()} == {
        core: models for core, (_, models) in told.items()
    }
    total = sum(allocated for allocated, _ in told.values())
    assert used["neuron_runtime_used_bytes"]["neuron_device"] == total > 0
    listed = [part["memory_used_bytes"]["neuron_device"] for part in used["loaded_models"][0]["subgraphs"].values()]
    assert listed == [told[core][1] for core in (0, 1)]
    (line,) = (line for line in shown.splitlines() if "Device Used Memory" in line)
    assert line.split()[4] == frame.size(total)
    assert _reported(node)["neuron_runtime_data"] == []


def _reported(node: dict[str, str]) -> dict[str, typing.Any]:
    """The first line of neuron-monitor."""
    with neuron_tools.started(node, "neuron-monitor") as monitor:
        assert monitor.stdout is not None
        report: dict[str, typing.Any] = json.loads(monitor.stdout.readline())
    return report
