"""Pictures and keys of neuron-top, on made-up samples."""

import dataclasses
import io
import itertools

import pytest
from rich import console

from kits.device import machine_samples, pages
from neuronspan_runtime.telemetry import page_layout
from neuronspan_runtime.tools import machine_view, samples
from neuronspan_runtime.tools.neuron_top import frame, screen_state

SECOND = machine_samples.SECOND


def shop(busy: int = 0) -> machine_view.CoreOwner:
    counters = page_layout.Counters(busy_nanoseconds=busy, model_bytes=2**20, tensor_bytes=4096)
    return machine_samples.owner(7, {4: counters, 5: page_layout.Counters()}, models=[pages.model(size=2**20)])


def bank() -> machine_view.CoreOwner:
    return machine_samples.owner(9, {8: page_layout.Counters()}, tag="bank")


def drawn(state: screen_state.State, interval: samples.Interval, **limits: int) -> list[str]:
    screen = console.Console(width=120, file=io.StringIO(), color_system=None)
    with screen.capture() as capture:
        screen.print(frame.frame(interval, state, width=120, **limits))
    return capture.get().splitlines()


def interval() -> samples.Interval:
    return samples.Interval(
        machine_samples.sample(1, shop(), bank()), machine_samples.sample(2, shop(SECOND // 2), bank())
    )


def lines_of(state: screen_state.State) -> list[str]:
    return [line.label for line in screen_state.opened(state, screen_state.tree([shop(), bank()]))]


def test_picture_shows_cores_usage_memory_and_models_of_all_processes() -> None:
    lines = drawn(screen_state.State(), interval())
    text = "\n".join(lines)
    assert "NeuronCore v1 Utilization" in text
    (second,) = (line for line in lines if "ND1" in line)
    assert second.split()[2:] == ["4", "████", "50.0%", "5", "0.0%", "6", "·", "7", "·", "│"]
    assert "System vCPU usage  [ 50.00%,   0.00%]" in text
    (device,) = (line for line in lines if "Device Used Memory" in line)
    assert device.split()[4:7] == ["1.0MB", "4.0KB", "1.0MB"]
    (model,) = (line for line in lines if "ResNet" in line)
    assert model.split()[1:4] == ["ResNet", "10001", "1.0MB"]
    assert ">all<  [2] shop  [3] bank" in lines[-1]


def test_tab_shows_one_process() -> None:
    text = "\n".join(drawn(screen_state.State("bank"), interval()))
    assert "bank (9)" in text
    assert "shop (7)" not in text
    assert ">bank<" in text


def test_tab_of_a_process_that_ended_shows_all() -> None:
    assert "shop (7)" in "\n".join(drawn(screen_state.State("gone"), interval()))


def test_idle_machine_says_so() -> None:
    idle = samples.Interval(machine_samples.sample(1), machine_samples.sample(2))
    assert "no process uses the Neuron runtime" in "\n".join(drawn(screen_state.State(), idle))


def test_process_without_pages_shows_which_cores_it_has() -> None:
    owner = machine_view.CoreOwner(5, (4,), "python")
    silent = samples.Interval(machine_samples.sample(1, owner), machine_samples.sample(2, owner))
    assert "4 in use" in "\n".join(drawn(screen_state.State(), silent))


def test_tree_follows_its_cursor_when_it_does_not_fit() -> None:
    text = "\n".join(drawn(screen_state.State(cursor=6), interval(), lines=2))
    assert "bank (9)" in text
    assert "shop (7)" not in text


@pytest.mark.parametrize(
    ("percent", "text"), [(0, ""), (50, "████"), (100, "████████"), (6.25, "▌"), (150, "████████")]
)
def test_bar_is_filled_by_eighths(percent: float, text: str) -> None:
    assert frame.bar(percent) == text.ljust(8)


@pytest.mark.parametrize(("number", "text"), [(0, "0B"), (1023, "1023B"), (2048, "2.0KB"), (3 * 2**29, "1.5GB")])
def test_sizes_are_short(number: int, text: str) -> None:
    assert frame.size(number) == text


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "tag"),
    [
        ("2", "shop"),
        ("3", "bank"),
        ("31", None),
        ("9", None),
        ("d", "shop"),
        ("ddd", None),
        ("a", "bank"),
        ("2z", "shop"),
    ],
)
def test_keys_choose_a_tab(keys: str, tag: str | None) -> None:
    state = screen_state.State()
    for key in keys:
        state = screen_state.pressed(state, key, [shop(), bank()])
    assert state.tag == tag


WHOLE = ["shop (7)", "NeuronCore 4", "ResNet", "Tensors", "NeuronCore 5", "bank (9)", "NeuronCore 8"]


@pytest.mark.parametrize(
    ("keys", "lines", "cursor"),
    [
        pytest.param([], WHOLE, 0, id="all is open"),
        pytest.param(["up"], WHOLE, 0, id="top"),
        pytest.param(["down"] * 20, WHOLE, 6, id="bottom"),
        pytest.param(["down", "left"], [*WHOLE[:2], *WHOLE[4:]], 1, id="close"),
        pytest.param(["down", "left", "right"], WHOLE, 1, id="open again"),
        pytest.param(["down", "down", "left"], WHOLE, 1, id="from a model to its core"),
        pytest.param(["left", "left"], ["shop (7)", *WHOLE[5:]], 0, id="a root stays"),
        pytest.param(["x"], ["shop (7)", "bank (9)"], 0, id="close all"),
        pytest.param(["x", "x"], WHOLE, 0, id="open all"),
    ],
)
def test_keys_walk_the_tree(keys: list[str], lines: list[str], cursor: int) -> None:
    state = screen_state.State()
    for key in keys:
        state = screen_state.pressed(state, key, [shop(), bank()])
    assert (lines_of(state), state.cursor) == (lines, cursor)


def test_keys_do_nothing_on_an_idle_machine() -> None:
    for key in ("up", "x", "left", "2", "q"):
        assert screen_state.pressed(screen_state.State(), key, []) == screen_state.State()


def test_tree_adds_up() -> None:
    lines = screen_state.tree([shop(), dataclasses.replace(shop(), pid=8)])
    by_root = itertools.groupby(lines, key=lambda line: line.key[0])
    for _, group in by_root:
        root, *below = group
        assert root.device_bytes == sum(line.device_bytes for line in below if line.depth == 1) == 2**20 + 4096
