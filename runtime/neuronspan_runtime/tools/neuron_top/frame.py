"""One picture of neuron-top: cores, CPUs, memory, the tree of models, the tabs.

Law: pure; samples in, a Rich group out.
"""

import math
from collections.abc import Iterable, Sequence

from rich import box, console, panel, style, table, text

from neuronspan_runtime.telemetry import page_memory
from neuronspan_runtime.tools import device_facts, machine_view, memory_use, samples
from neuronspan_runtime.tools.neuron_top import screen_state

_CELL = 22
"""Characters of one core: its number, a bar, the percentage."""
_BAR = 8
_FULL, _PARTS = "█", " ▏▎▍▌▋▊▉"
_MOST_LINES = 500
_HOT, _WARM = 90.0, 50.0


def frame(
    interval: samples.Interval, state: screen_state.State, *, width: int, lines: int = _MOST_LINES
) -> console.Group:
    """Return the picture, `width` characters wide; `lines` limits the tree, which follows its cursor."""
    view = interval.after.view
    owners = screen_state.shown(state, view.owners)
    hardware = view.hardware
    title = text.Text(f"neuron-top {page_memory.RUNTIME_VERSION}", style="bold")
    title.append(f"   {view.instance_id}   {hardware.instance_type}", style="cyan")
    cores = f"NeuronCore {device_facts.core_version(hardware)} Utilization"
    return console.Group(
        title,
        _panel(_cores(interval, owners, width - 4), cores, width),
        _panel(_usage(interval, owners), "VCPU Utilization", width),
        _panel(_memory(interval, owners), "Memory Usage Summary", width),
        _panel(_tree(state, screen_state.tree(owners, view.shown), lines), "Memory Usage Details", width),
        _tabs(state, view.owners),
    )


def _panel(content: console.RenderableType, title: str, width: int) -> panel.Panel:
    return panel.Panel(content, title=title, title_align="left", box=box.ROUNDED, width=width, padding=(0, 1))


def _cores(interval: samples.Interval, owners: Sequence[machine_view.CoreOwner], width: int) -> text.Text:
    """Draw a line for each device, or several when its cores do not fit; a core without a shown owner has no bar."""
    busy: dict[int, float] = {}
    for owner in owners:
        for core, percent in samples.utilisation(interval, owner).items():
            busy[core] = busy.get(core, 0.0) + percent
    owned = frozenset(core for owner in owners for core in owner.cores)
    per_line = max((width - 6) // _CELL, 1)
    result: list[text.Text] = []
    shown = interval.after.view.shown
    for device, cores in interval.after.view.devices.items():
        for first in range(0, len(cores), per_line):
            line = text.Text(f"ND{shown.device(device):<3} " if first == 0 else " " * 6, style="bold")
            for core in cores[first : first + per_line]:
                line.append_text(_core(shown.core(core), busy.get(core), owned=core in owned))
            result.append(line)
    return text.Text("\n").join(result)


def _core(core: int, percent: float | None, *, owned: bool) -> text.Text:
    cell = text.Text(f"{core:>3} ", style="none" if owned else "bright_black")
    if percent is None:
        cell.append(("in use" if owned else "·").ljust(_CELL - 4), style="bright_black")
        return cell
    colour = "red" if percent >= _HOT else "yellow" if percent >= _WARM else "green"
    cell.append(bar(percent), style=style.Style(color=colour, bgcolor="grey23"))
    cell.append(f"{percent:6.1f}%".ljust(_CELL - 4 - _BAR))
    return cell


def bar(percent: float) -> str:
    """Return a bar of eight characters, filled by eighths of one."""
    eighths = round(min(max(percent, 0.0), 100.0) / 100 * _BAR * 8)
    full, part = divmod(eighths, 8)
    return (_FULL * full + (_PARTS[part] if part else "")).ljust(_BAR)


def _usage(interval: samples.Interval, owners: Iterable[machine_view.CoreOwner]) -> text.Text:
    user, system = interval.after.system.share(interval.before.system)
    runtimes = [samples.cpu_percent(interval, owner) for owner in owners]
    own_user, own_system = (math.fsum(each[part] for each in runtimes) for part in (0, 1))
    return text.Text(
        f"System vCPU usage  [{user:6.2f}%, {system:6.2f}%]      "
        f"Runtime vCPU usage  [{own_user:6.2f}%, {own_system:6.2f}%]      (user, system)"
    )


def _memory(interval: samples.Interval, owners: Iterable[machine_view.CoreOwner]) -> table.Table:
    pages = [page for owner in owners for page in owner.pages.values()]
    used = [memory_use.by_purpose(page.counters) for page in pages]
    device = {purpose: sum(each[purpose] for each in used) for purpose in memory_use.PURPOSES}
    host = sum(owner.process.resident_bytes for owner in owners if owner.process)
    limit = interval.after.view.hardware.hbm_bytes_per_core * len(interval.after.view.cores)
    grid = table.Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in (
        "",
        "Total",
        "Tensors",
        "Constants",
        "DMA Buffers",
        "App. Memory",
        "Model Code",
        "Runtime",
        "Scratchpad",
    ):
        grid.add_column(heading, justify="left" if not heading else "right", no_wrap=True)
    grid.add_row("Host Used Memory", size(host), size(0), size(0), size(0), size(host), "", "", "")
    grid.add_row(
        "Device Used Memory",
        size(sum(device.values())),
        *(size(device[purpose]) for purpose in ("tensors", "constants")),
        "",
        "",
        *(size(device[purpose]) for purpose in ("model_code", "runtime_memory", "model_shared_scratchpad")),
    )
    grid.add_row("Device Memory", size(limit), *[""] * 7)
    return grid


def size(number: int) -> str:
    """Print a number of bytes in three or four digits."""
    for unit, name in ((2**30, "GB"), (2**20, "MB"), (2**10, "KB")):
        if number >= unit:
            return f"{number / unit:.1f}{name}"
    return f"{number}B"


def _tree(state: screen_state.State, all_lines: Iterable[screen_state.Line], most: int) -> table.Table:
    lines = screen_state.opened(state, all_lines)
    cursor = min(state.cursor, max(len(lines) - 1, 0))
    first = max(0, min(cursor - most + 1, len(lines) - most))
    grid = table.Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), expand=True)
    grid.add_column("", ratio=1, no_wrap=True)
    for heading in ("Model ID", "Host Memory", "Device Memory"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for index, line in enumerate(lines[first : first + most], start=first):
        mark = ("[+] " if line.key in state.closed else "[-] ") if line.inner else "    "
        grid.add_row(
            "  " * line.depth + mark + line.label,
            line.model_id,
            size(line.host_bytes) if line.host_bytes else "",
            size(line.device_bytes),
            style="reverse" if index == cursor else "none",
        )
    if not lines:
        grid.add_row("no process uses the Neuron runtime", "", "", "")
    return grid


def _tabs(state: screen_state.State, owners: Sequence[machine_view.CoreOwner]) -> text.Text:
    names = screen_state.tabs(owners)
    chosen = state.tag if state.tag in names else None
    line = text.Text("[q] quit  [a/d] tab  [arrows, x] tree   ", style="bright_black")
    for index, name in enumerate(names, start=1):
        label = name or "all"
        if name == chosen:
            line.append(f">{label}<", style="bold green")
        else:
            line.append(f"[{index}] {label}", style="none")
        line.append("  ")
    return line
