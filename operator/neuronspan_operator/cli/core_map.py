"""Draw nodes, Neuron devices and NeuronCores: who owns which core. Pure: ledgers in, a Rich renderable out."""

import colorsys
import dataclasses
import io
import re
import string
from collections.abc import Iterable, Mapping, Sequence

from rich import box, console, style, table, text

from neuronspan import grants, instance_types, ledger
from neuronspan_operator.objects import neuron_nodes

_SYMBOLS = string.ascii_lowercase + string.ascii_uppercase + string.digits
_FREE = "·"
_UNHEALTHY = "!"
_CORES_PER_LINE = 64
"""Fits a terminal of 120 columns beside the other columns; larger nodes continue on the next line."""


@dataclasses.dataclass(frozen=True)
class MappedNode:
    """One node as the map shows it."""

    name: str
    hardware: instance_types.Hardware
    ledger: ledger.Ledger
    unhealthy: tuple[neuron_nodes.Unhealthy, ...] = ()


def mapped(views: Iterable[neuron_nodes.NeuronNodeView]) -> list[MappedNode]:
    """Return the nodes whose hardware and ledger are known, as the map shows them."""
    return [
        MappedNode(view.name, view.hardware, view.ledger, view.unhealthy)
        for view in views
        if view.hardware is not None and view.ledger is not None
    ]


def _colour(index: int) -> str:
    """Return a dark background, far from its neighbours': steps of the golden ratio around the colour wheel."""
    red, green, blue = colorsys.hls_to_rgb((index * 0.618) % 1.0, 0.36, 0.62)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


@dataclasses.dataclass(frozen=True)
class _Mark:
    symbol: str
    colour: str


def _marks(nodes: Sequence[MappedNode]) -> Mapping[tuple[str, str], _Mark]:
    """Return a letter and a colour for each grant, in the order of nodes and cores; letters repeat after 62 grants."""
    keys = [grant.key for node in nodes for grant in sorted(node.ledger.grants, key=lambda grant: grant.span)]
    return {key: _Mark(_SYMBOLS[index % len(_SYMBOLS)], _colour(index)) for index, key in enumerate(keys)}


def _owners(node: MappedNode) -> Mapping[int, grants.Grant]:
    return {core: grant for grant in node.ledger.grants for core in grant.span}


def _core(node: MappedNode, core: int, owner: grants.Grant | None, marks: Mapping[tuple[str, str], _Mark]) -> text.Text:
    if owner is not None:
        mark = marks[owner.key]
        releasing = owner.state is grants.GrantState.RELEASING
        return text.Text(mark.symbol, style.Style(color="white", bgcolor=mark.colour, bold=True, strike=releasing))
    if any(core in each.span for each in node.unhealthy):
        return text.Text(_UNHEALTHY, style="bold red")
    return text.Text(_FREE, style="bright_black")


def _device_row(node: MappedNode, devices: Iterable[int], marks: Mapping[tuple[str, str], _Mark]) -> text.Text:
    owners = _owners(node)
    row = text.Text()
    for device in devices:
        for core in node.hardware.cores_of_device(device):
            row.append_text(_core(node, core, owners.get(core), marks))
        row.append(" ")
    return row


def _core_lines(node: MappedNode, marks: Mapping[tuple[str, str], _Mark]) -> list[text.Text]:
    devices = range(node.hardware.devices)
    step = max(1, _CORES_PER_LINE // node.hardware.cores_per_device)
    return [_device_row(node, devices[first : first + step], marks) for first in range(0, len(devices), step)]


def _node_lines(node: MappedNode, marks: Mapping[tuple[str, str], _Mark]) -> text.Text:
    """One heading and the cores below it, so that a long node name never squeezes the cores."""
    heading = text.Text(f"{node.name}", style="bold")
    heading.append(f"  {node.hardware.instance_type}", style="cyan")
    run = node.ledger.largest_free_run()
    heading.append(f"  {node.ledger.free_cores} of {node.ledger.cores} cores free, longest run {run}", style="not bold")
    lines = [*_core_lines(node, marks), *_unhealthy_lines(node)]
    return text.Text("\n").join([heading, *(text.Text("  ") + line for line in lines), text.Text()])


def _unhealthy_lines(node: MappedNode) -> Iterable[text.Text]:
    """Return a line that says which cores are unhealthy and why; none when all are well."""
    if node.unhealthy:
        yield text.Text(f"{_UNHEALTHY} unhealthy: {', '.join(map(str, node.unhealthy))}", style="red")


def _legend_table(nodes: Sequence[MappedNode], marks: Mapping[tuple[str, str], _Mark]) -> table.Table:
    result = table.Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "pod", "container", "node", "cores", "state"):
        result.add_column(heading, no_wrap=True)
    for node in nodes:
        for grant in sorted(node.ledger.grants, key=lambda grant: grant.span):
            mark = marks[grant.key]
            result.add_row(
                text.Text(f" {mark.symbol} ", style=style.Style(color="white", bgcolor=mark.colour, bold=True)),
                f"{grant.namespace}/{grant.pod}",
                grant.container,
                node.name,
                str(grant.span),
                str(grant.state.value),
            )
    return result


def render(nodes: Iterable[MappedNode]) -> console.Group:
    """Return the map and its legend: a letter per grant (struck through: releasing), `·` free, `!` unhealthy."""
    ordered = sorted(nodes, key=lambda node: node.name)
    marks = _marks(ordered)
    legend = [_legend_table(ordered, marks)] if marks else []
    return console.Group(*(_node_lines(node, marks) for node in ordered), *legend)


def to_svg(picture: console.Group, *, width: int) -> str:
    """Return the picture as an SVG, `width` characters wide, that fetches no font or style from elsewhere."""
    screen = console.Console(
        record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    screen.print(picture)
    return re.sub(r"@font-face \{.*?\}\s*", "", screen.export_svg(title="kubectl neuron map"), flags=re.DOTALL)
