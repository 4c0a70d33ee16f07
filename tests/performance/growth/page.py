"""Writes what was measured and played into the page about growth, between its marks."""

import itertools
import pathlib
from collections.abc import Callable, Mapping, Sequence

from performance.growth import chart, costs, curves, fits, load, numbers, planners

DOCS = pathlib.Path(__file__).parents[3] / "docs"
PAGE = DOCS / "growth.md"
SIZES = 1000, 5000, 10_000, 20_000, 50_000, 100_000
PLANNERS = 1, 2, 4, 8, 16
PROCESSORS = 16
_PICTURES = {
    "nodes": ("Planning, by nodes", "nodes, each with four running pods"),
    "foreign": ("Planning, by pods that ask for nothing", "such pods, on 1 000 nodes"),
    "waiting": ("Planning, by waiting pods", "waiting pods that fit nowhere, on 1 000 nodes"),
}


def replaced(text: str, name: str, content: str) -> str:
    """Return the text with this content between the marks of that name. Raises LookupError without them."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    before, opened, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (opened and closed):
        raise LookupError(f"the page has no marks for {name}: write {begin.strip()} and {end.strip()} into it")
    return before + begin + content + end + after


def write(name: str, content: str) -> None:
    """Put this content between the marks of that name in the page, as it is now. Raises LookupError without them."""
    PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), name, content), encoding="utf-8")


def measured(found: Sequence[curves.Measured]) -> str:
    """Return the tables of curves: what was measured at each size, and the fits."""
    lines = ["| what grows | size | a new pod, ms | an event of a foreign pod, µs |", "|---|---|---|---|"]
    lines += itertools.chain.from_iterable(map(curves.rows, found))
    lines += ["", "| what grows | power of a new pod's time | power of an event's time |", "|---|---|---|"]
    for each in found:
        pod, event = (fits.power(points).exponent for points in (each.new_pod, each.foreign_event))
        lines.append(f"| {curves.AXES[each.axis].counted} | {pod:+.2f} | {event:+.2f} |")
    return "\n".join(lines) + "\n"


def picture(found: curves.Measured) -> str:
    """Return the picture of one axis."""
    title, across = _PICTURES[found.axis]
    microseconds = [(size, value * 1e3) for size, value in found.new_pod]
    shown = [
        chart.Curve("a new pod", microseconds, fits.power(microseconds)),
        chart.Curve("an event of a foreign pod", found.foreign_event, fits.power(found.foreign_event)),
    ]
    return chart.svg(title, across, "µs of CPU time", shown)


def pictures(found: Sequence[curves.Measured]) -> Mapping[pathlib.Path, str]:
    """Return the pictures by their files."""
    return {DOCS / f"growth-{each.axis}.svg": picture(each) for each in found if each.axis in _PICTURES}


def demands(given: costs.Costs) -> str:
    """Return the table of what clusters of these sizes ask for."""
    lines = [
        "| nodes | pods/s | planning | events | pools | rest of the operator | operator | API server | operator, MiB |",
        "|---|---|---|---|---|---|---|---|---|",
        *load.rows(load.demand(nodes, load.Use(), given) for nodes in SIZES),
    ]
    operator, server = load.largest_burst(given, PROCESSORS)
    after = (
        f"At most {operator:.0f} pods/s by one operator, {server:.0f} by an API server with {PROCESSORS} processors."
    )
    return "\n".join([*lines, "", after]) + "\n"


def games(given: costs.Costs, say: Callable[[str], object]) -> str:
    """Play bursts with several planners and return the table."""
    lines = [
        "| nodes | choice | planners | pods/s | conflicts per pod | median wait, s | all, s | API server busy |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for nodes, (choice, watches_all), count in itertools.product((5000, 100_000), _DESIGNS, PLANNERS):
        setting = planners.Setting(nodes, count, nodes // 2, choice, processors=PROCESSORS, watches_all=watches_all)
        outcome = planners.Game(setting, given).play()
        lines.append(_game(setting, outcome))
        say(lines[-1])
    return "\n".join(lines) + "\n"


_DESIGNS = (
    (planners.Choice.SAME, True),
    (planners.Choice.APART, True),
    (planners.Choice.SHARES, True),
    (planners.Choice.SHARES, False),
)


def _game(setting: planners.Setting, outcome: planners.Outcome) -> str:
    waits = sorted(outcome.waits)
    busy = outcome.apiserver_busy / outcome.seconds / setting.processors
    watched = "" if setting.watches_all else ", and watch it alone"
    size, rate = numbers.grouped(setting.nodes), numbers.grouped(outcome.pods_per_second)
    middle, conflicts = waits[len(waits) // 2], outcome.conflicts / setting.pods
    return (
        f"| {size} | {setting.choice}{watched} | {setting.planners} | {rate} | {conflicts:.3f} | {middle:.1f} "
        f"| {outcome.seconds:.0f} | {busy:.0%} |"
    )
