"""The page of counters: one layout in two languages, and readers that take only what is whole."""

import dataclasses
import fcntl
import mmap
import os
import pathlib
import threading
from collections.abc import Callable

import pytest
import torch

from kits.device import neuron_models, neuron_processes, pages
from neuronspan_runtime import environment
from neuronspan_runtime.cores import hardware
from neuronspan_runtime.device import device_module, operators, session
from neuronspan_runtime.models import model
from neuronspan_runtime.telemetry import page_layout, page_memory


def layout_and_buckets(durations: list[int]) -> tuple[str, list[int]]:
    ops = torch.ops.neuron
    return ops.telemetry_layout(), [ops.telemetry_bucket(duration) for duration in durations]


def test_layout_and_buckets_are_the_same_in_both_languages(processes: neuron_processes.Parent) -> None:
    durations = [-1, 0, 1023, 1024, 16383, 16384, 17000, 10**6, 12345678, 3 * 10**11, 2**62]
    text, buckets = processes.run({}, layout_and_buckets, durations)
    there = [(name, int(offset), int(size)) for name, offset, size in (line.split() for line in text.splitlines())]
    assert there == list(page_layout.layout())
    assert buckets == [page_layout.bucket_of(duration) for duration in durations]


@pytest.mark.parametrize("duration", [0, 999, 1024, 16 * 1024, 123_456, 10**7, 10**10])
def test_bucket_holds_its_duration_and_is_no_wider_than_an_eighth(duration: int) -> None:
    low, high = page_layout.bucket_nanoseconds(page_layout.bucket_of(duration))
    assert low <= duration < high
    assert high - low <= max(1024, low / 8)


def test_page_is_read_as_it_was_written() -> None:
    counters = page_layout.Counters(*range(21))
    models = [pages.model(), pages.model(10002, subgraph=1, first_core=2)]
    found = pages.page(counters=counters, models=models, calls=[5_000, 5_000, 10**6])
    assert (found.header, found.counters, list(found.models)) == (pages.header(), counters, models)
    assert found.total_latency[page_layout.bucket_of(5_000)] == 2
    assert sum(found.device_latency) == 3


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(bytes(page_layout.PAGE_BYTES), id="no page at all"),
        pytest.param(pages.content()[:-1], id="cut off"),
        pytest.param(pages.content()[:8] + b"\x03" + pages.content()[9:], id="newer layout"),
        pytest.param(pages.content()[:8] + b"\x01" + pages.content()[9:], id="older layout"),
        pytest.param(pages.content(dataclasses.replace(pages.header(), core=9)), id="core outside of the span"),
    ],
)
def test_what_is_no_page_of_this_layout_is_not_read(content: bytes) -> None:
    assert page_layout.decode(content) is None


def test_texts_are_cut_between_characters_and_cannot_command_a_terminal() -> None:
    header = dataclasses.replace(pages.header(), tag="ü" * 200, host="a\x1b[2Jb\nc")
    found = pages.page(header).header
    assert found.tag == "ü" * 127
    assert found.host == "a�[2Jb�c"


# --- what the library counts ------------------------------------------------------------------------------------------


def after_calls(models: pathlib.Path, calls: int) -> dict[str, int]:
    kept = neuron_models.load(models, 2)
    for _ in range(calls - 1):
        neuron_models.check(kept, 2)
    tensor = torch.ones(5000, device="neuron:1")
    with pytest.raises(RuntimeError):
        kept(torch.ones(3, 3))
    statistics = device_module.memory_stats(0)
    keep.extend([kept, tensor])
    return statistics


keep: list[object] = []


def test_counters_of_a_running_process_are_seen_from_outside(
    processes: neuron_processes.Parent, machine: dict[str, str], model_files: pathlib.Path
) -> None:
    variables = machine | {"NEURON_RT_VISIBLE_CORES": "4-7", "NEURON_PROCESS_TAG": "shop"}
    seen = hardware.find(environment.read(variables), pathlib.Path("/nonexistent"))
    with processes.start(variables, after_calls, model_files, 5) as process:
        statistics = process.outcome().value
        found = page_memory.read(seen, process.pid, range(8))
        assert list(found) == [4, 5, 6, 7]
        first, second = found[4], found[5]
        assert (first.header.tag, str(first.header.span), second.header.core) == ("shop", "4-7", 5)
        counters = first.counters
        assert (counters.completed, counters.completed_with_error, counters.executions) == (5, 0, 5)
        assert (second.counters.completed, second.counters.executions) == (0, 5)
        assert counters.busy_nanoseconds == statistics["busy_nanoseconds"] > 0
        assert counters.running_since == 0
        assert (counters.model_bytes, counters.tensor_bytes) == (statistics["model_bytes"], 0)
        assert counters.model_bytes == sum(model.bytes for model in first.models) > 0
        assert second.counters.tensor_bytes == 20480
        assert sum(first.total_latency) == sum(first.device_latency) == 5
        assert [(model.name, model.subgraph, model.first_core) for model in first.models] == [("Small", 0, 0)]
        assert [(model.id, model.subgraph) for model in second.models] == [(first.models[0].id, 1)]
        assert (counters.models_loaded, counters.model_loads) == (1, 1)
        process.kill()
    assert page_memory.read(seen, process.pid, range(8)) == {}


def own_page() -> page_layout.Page:
    """The page of this process's core 0, as others read it."""
    return page_memory.read(hardware.find(environment.read()), os.getpid(), [0])[0]


def counted_refusals(models: pathlib.Path) -> list[int]:
    traced = neuron_models.load(models, 1)
    (held,) = model.models_of(traced)
    counted = []

    def refuse(wrong: torch.Tensor) -> None:
        with pytest.raises(RuntimeError, match=r"Incorrect tensor|must be allocated on same vnc"):
            traced(wrong)
        page = own_page()
        assert (page.counters.completed, page.counters.completed_with_error) == (1, 0)
        counted.append(page.counters.incorrect_input)

    refuse(torch.ones(3, 3))
    refuse(neuron_models.example().double())
    refuse(torch.ones(3, 3, device="neuron:0"))
    refuse(neuron_models.example().to("neuron:3"))
    held.unload()
    refuse(torch.ones(3, 3))
    return counted


def test_every_call_that_is_refused_for_its_input_is_counted_on_the_models_core(
    processes: neuron_processes.Parent, machine: dict[str, str], model_files: pathlib.Path
) -> None:
    """A model that is not loaded is on no core, so its refusals are on no core's page."""
    assert processes.run(machine, counted_refusals, model_files) == [1, 2, 3, 4, 4]


def loaded_and_dropped(models: pathlib.Path) -> str:
    for _ in range(70):
        neuron_models.load(models, 1)
    kept = [neuron_models.jit_load(neuron_models.file_of(models, 1)) for _ in range(66)]
    page = own_page()
    del kept
    after = own_page()
    return f"{len(page.models)} of {page.counters.models_loaded}, {len(after.models)} of {after.counters.models_loaded}"


def test_table_of_models_follows_loads_and_keeps_counting_when_it_is_full(
    processes: neuron_processes.Parent, machine: dict[str, str], model_files: pathlib.Path
) -> None:
    one = machine | {"NEURON_RT_NUM_CORES": "1"}
    assert processes.run(one, loaded_and_dropped, model_files) == "64 of 66, 0 of 0"


def counted_in_a_child() -> tuple[int, int]:
    tensor = torch.ones(1024, device="neuron:0")
    child = os.fork()
    if child == 0:
        del tensor
        os._exit(len(page_memory.read(hardware.find(environment.read()), os.getpid(), [0])))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return own_page().counters.tensor_bytes, tensor.numel()


def test_forked_child_does_not_count_on_its_parents_page(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, counted_in_a_child) == (4096, 1024)


def used_without_pages(models: pathlib.Path) -> tuple[int, int]:
    def refused(*_: object) -> int:
        raise OSError("no memory to share")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "memfd_create", refused)
        model = neuron_models.load(models, 1)
    neuron_models.check(model, 1)
    seen = page_memory.read(hardware.find(environment.read()), os.getpid(), [0])
    return len(seen), int(device_module.memory_stats(0)["executions"])


def test_process_works_and_counts_without_a_place_for_its_pages(
    processes: neuron_processes.Parent, machine: dict[str, str], model_files: pathlib.Path
) -> None:
    assert processes.run(machine, used_without_pages, model_files) == (0, 2)


def opened(seals: int, size: int, cores: int) -> tuple[bool, int]:
    """Let the library count in such memory; also what it counted there of two tensors."""
    descriptor = os.memfd_create("any", os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    torch.ones(2, device="neuron:0")
    taken = operators.open_telemetry(descriptor, cores)
    torch.ones(2, device="neuron:0").cpu()
    return taken, sum(os.pread(descriptor, size, 0))


@pytest.mark.parametrize(
    ("seals", "size", "cores"),
    [
        pytest.param(fcntl.F_SEAL_GROW, 16384, 1, id="others could cut it off"),
        pytest.param(fcntl.F_SEAL_SHRINK, 16383, 1, id="too small"),
        pytest.param(fcntl.F_SEAL_SHRINK, 16384, 2, id="too small for its cores"),
        pytest.param(fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_WRITE, 16384, 1, id="read-only"),
        pytest.param(fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL, 16384, 1, id="open to other writers for ever"),
        pytest.param(fcntl.F_SEAL_SHRINK, 128 * 16384, 128, id="more cores than there can be"),
    ],
)
def test_memory_that_is_not_the_processs_alone_is_not_counted_in(
    seals: int, size: int, cores: int, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, opened, seals, size, cores) == (False, 0)


def attacked() -> list[str]:
    """Do to the own pages what whoever has the descriptor could try; then count on."""
    torch.ones(2, device="neuron:0")
    descriptor = session.start().pages
    assert descriptor is not None
    before = own_page().counters.host_to_device_bytes
    again = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR)
    attempts: list[Callable[[], object]] = [
        lambda: os.ftruncate(descriptor, 0),
        lambda: os.ftruncate(again, 300 << 20),
        lambda: os.pwrite(again, b"x", 0),
        lambda: os.pwrite(descriptor, b"x", page_layout.PAGE_BYTES * 8),
        lambda: mmap.mmap(again, page_layout.PAGE_BYTES),
        lambda: fcntl.fcntl(again, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE),
    ]
    found = []
    for attempt in attempts:
        with pytest.raises(PermissionError) as refused:
            attempt()
        found.append(type(refused.value).__name__)
    torch.ones(256, device="cpu").to("neuron:0")
    assert own_page().counters.host_to_device_bytes == before + 1024
    return found


def test_pages_can_neither_be_cut_nor_grown_nor_written_by_who_has_their_descriptor(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, attacked) == ["PermissionError"] * 6


def reloading(models: pathlib.Path) -> bool:
    traced = neuron_models.load(models, 1)
    (held,) = model.models_of(traced)
    begun = threading.Event()

    def loop() -> None:
        while True:
            held.set_neuron_devices(0, 4)
            begun.set()

    threading.Thread(target=loop, daemon=True).start()
    return begun.wait()


def test_pages_are_read_whole_while_models_come_and_go(
    processes: neuron_processes.Parent, machine: dict[str, str], model_files: pathlib.Path
) -> None:
    seen = hardware.find(environment.read(machine), pathlib.Path("/nonexistent"))
    with processes.start(machine, reloading, model_files) as process:
        process.outcome()
        found = [page_memory.read(seen, process.pid, [2])[2] for _ in range(300)]
    texts = {(listed.name, len(listed.uuid)) for page in found for listed in page.models}
    assert texts <= {("Small", 32)}
    assert max(page.counters.model_loads for page in found) > 1
