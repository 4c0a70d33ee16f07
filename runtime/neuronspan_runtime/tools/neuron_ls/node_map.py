"""Draw one look at a machine as SVG: which process owns which core, and what each core's HBM holds.

A card for each device; on it a box for each core in its owner's colour, and below it the HBM that the core has, filled
from the bottom by what models brought (dark) and tensors (light). Cores that share a stack of HBM share one bar. The
picture fetches nothing from elsewhere.

Law: pure; a view in, text out.
"""

import colorsys
import dataclasses
import html
from collections.abc import Iterator, Mapping, Sequence

from neuronspan_runtime.cores import hbm
from neuronspan_runtime.tools import device_facts, machine_view

_CARD, _GAP, _PER_ROW = 232, 14, 4
_BOX, _BAR = 26, 74
_CARD_HEIGHT = 30 + _BOX + 6 + _BAR + 24
_MARGIN, _TITLE, _LINE = 18, 44, 22
_FREE, _INK, _QUIET = "#e6e8ec", "#1d2330", "#69707d"
_LONGEST_COMMAND = 70


@dataclasses.dataclass(frozen=True)
class _Shades:
    """Colours of one owner."""

    box: str
    models: str
    tensors: str


def svg(view: machine_view.MachineView) -> str:
    """Return the picture as the text of an SVG file."""
    shades = {owner.pid: _shades(index) for index, owner in enumerate(view.owners)}
    devices = list(view.devices.items())
    columns = min(_PER_ROW, max(1, len(devices)))
    rows = -(-len(devices) // columns)
    width = max(2 * _MARGIN + columns * (_CARD + _GAP) - _GAP, 640)
    legend_at = _TITLE + rows * (_CARD_HEIGHT + _GAP) + 20
    height = legend_at + _LINE * (len(view.owners) + 1) + _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        '<g font-family="Helvetica, Arial, sans-serif">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(_MARGIN, 28, _title(view), size=15, weight="bold"),
    ]
    for index, (device, cores) in enumerate(devices):
        row, column = divmod(index, columns)
        at = (_MARGIN + column * (_CARD + _GAP), _TITLE + row * (_CARD_HEIGHT + _GAP))
        parts += _card(view, device, cores, at, shades)
    parts += _legend(view, shades, legend_at)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _title(view: machine_view.MachineView) -> str:
    owned = sum(len(owner.cores) for owner in view.owners)
    return f"{view.hardware.instance_type}: {owned} of {len(view.cores)} NeuronCores in use"


def _card(
    view: machine_view.MachineView,
    device: int,
    cores: Sequence[int],
    at: tuple[int, int],
    shades: Mapping[int, _Shades],
) -> Iterator[str]:
    left, top = at
    yield f'<rect x="{left}" y="{top}" width="{_CARD}" height="{_CARD_HEIGHT}" rx="8" fill="#f7f8fa" stroke="#cfd4dc"/>'
    yield _text(left + 10, top + 20, f"neuron{view.shown.device(device)}", weight="bold")
    size = device_facts.memory_bytes(view.hardware) // 2**30
    yield _text(left + _CARD - 10, top + 20, f"{size} GiB", colour=_QUIET, anchor="end")
    step = (_CARD - 20) / len(cores)
    place = {core: (left + 10 + position * step, top + 30, step - 4) for position, core in enumerate(cores)}
    for core in cores:
        yield from _core(view, core, place[core], shades)
    for stack in hbm.stacks_of(view.hardware, cores):
        first, last = place[stack[0]], place[stack[-1]]
        yield from _memory(view, stack, (first[0], top + 30 + _BOX + 6, last[0] + last[2] - first[0]), shades)


def _core(
    view: machine_view.MachineView, core: int, place: tuple[float, float, float], shades: Mapping[int, _Shades]
) -> Iterator[str]:
    left, top, width = place
    owner = view.owner_of(core)
    yield _box(place, _BOX, shades[owner.pid].box if owner else _FREE)
    ink = "#ffffff" if owner else _QUIET
    yield _text(left + width / 2, top + 17, str(view.shown.core(core)), colour=ink, anchor="middle", weight="bold")


def _memory(
    view: machine_view.MachineView,
    stack: Sequence[int],
    place: tuple[float, float, float],
    shades: Mapping[int, _Shades],
) -> Iterator[str]:
    """Draw one stack of HBM, the parts of its cores one above the other."""
    left, top, width = place
    yield _box(place, _BAR, _FREE)
    capacity = hbm.stack_bytes(view.hardware)
    bottom, used = top + _BAR, 0
    for core in stack:
        owner = view.owner_of(core)
        page = owner.pages.get(core) if owner else None
        if owner is None or page is None:
            continue
        colours, counters = shades[owner.pid], page.counters
        loaded = counters.model_bytes + counters.code_bytes
        for size, colour in ((loaded, colours.models), (counters.tensor_bytes, colours.tensors)):
            if size <= 0:
                continue
            filled = min(max(size / capacity * _BAR, 1.0), bottom - top)
            bottom -= filled
            used += size
            yield _box((left, bottom, width), filled, colour, rounded=0)
    yield _text(left + width / 2, top + _BAR + 15, _size(used), colour=_QUIET, anchor="middle", size=10)


def _size(used: int) -> str:
    if used >= 2**30:
        return f"{used / 2**30:.1f} GiB"
    if used >= 2**20:
        return f"{used / 2**20:.0f} MiB"
    return f"{used // 1024} KiB" if used else ""


def _legend(view: machine_view.MachineView, shades: Mapping[int, _Shades], top: int) -> Iterator[str]:
    for index, owner in enumerate(view.owners):
        at = top + index * _LINE
        colours = shades[owner.pid]
        for position, colour in enumerate((colours.box, colours.models, colours.tensors)):
            yield _box((_MARGIN + 14 * position, at - 10, 12), 12, colour, rounded=2)
        cores = device_facts.ranges(tuple(map(view.shown.core, owner.cores)))
        where = f", pod {owner.header.host}" if owner.header and owner.header.namespace else ""
        yield _text(_MARGIN + 52, at, f"{owner.tag}: process {owner.pid}{where}, cores {cores}", weight="bold")
        yield _text(_MARGIN + 352, at, owner.command[:_LONGEST_COMMAND], colour=_QUIET)
    at = top + len(view.owners) * _LINE
    yield _text(_MARGIN, at, "box: owner of the core; bar: HBM, models below, tensors above; grey: free", colour=_QUIET)


def _shades(index: int) -> _Shades:
    """Return an owner's colours, far from its neighbours': steps of the golden ratio around the colour wheel."""
    hue = (0.58 + index * 0.618) % 1.0
    return _Shades(*(_colour(hue, lightness) for lightness in (0.42, 0.30, 0.66)))


def _colour(hue: float, lightness: float) -> str:
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.55)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def _box(place: tuple[float, float, float], height: float, colour: str, *, rounded: int = 4) -> str:
    left, top, width = place
    size = f'width="{width:.1f}" height="{height:.1f}"'
    return f'<rect x="{left:.1f}" y="{top:.1f}" {size} rx="{rounded}" fill="{colour}"/>'


def _text(
    left: float,
    top: float,
    text: str,
    *,
    colour: str = _INK,
    anchor: str = "start",
    size: int = 12,
    weight: str = "normal",
) -> str:
    style = f'fill="{colour}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}"'
    return f'<text x="{left:.1f}" y="{top:.1f}" {style}>{html.escape(text)}</text>'
