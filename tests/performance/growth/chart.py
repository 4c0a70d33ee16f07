"""Draws curves with two logarithmic axes as SVG: points, and the fitted line of each. Pure."""

import dataclasses
import html
import math
from collections.abc import Iterator, Sequence

from performance.growth import fits, numbers

_WIDTH, _HEIGHT = 760, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 230, 40, 50
_COLOURS = "#0b6fa4", "#c2410c", "#15803d", "#7e22ce", "#a16207"


@dataclasses.dataclass(frozen=True)
class Curve:
    """Measured points under a name, and their fit."""

    name: str
    points: fits.Points
    fit: fits.Power


@dataclasses.dataclass(frozen=True)
class _Scale:
    """One logarithmic axis, over whole decades, on these pixels."""

    first: int
    last: int
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> "_Scale":
        first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        return cls(first, max(last, first + 1), start, end)

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self.first) / (self.last - self.first)
        return self.start + share * (self.end - self.start)

    def decades(self) -> Iterator[float]:
        return (10.0**power for power in range(self.first, self.last + 1))


def svg(title: str, across: str, up: str, curves: Sequence[Curve]) -> str:
    """Return the picture; ``across`` and ``up`` say what the axes count."""
    x = _Scale.over([size for curve in curves for size, _ in curve.points], _LEFT, _WIDTH - _RIGHT)
    y = _Scale.over([value for curve in curves for _, value in curve.points], _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 22, title, size=15),
        *_grid(x, y),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 12, across, anchor="middle"),
        _text(_LEFT, _TOP - 6, up),
    ]
    for number, curve in enumerate(curves):
        parts += _drawn(curve, x, y, _COLOURS[number % len(_COLOURS)], _TOP + 20 + 38 * number)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _grid(x: _Scale, y: _Scale) -> Iterator[str]:
    for value in x.decades():
        yield _line(x(value), y.start, x(value), y.end, "#e5e7eb")
        yield _text(x(value), y.start + 16, _short(value), anchor="middle")
    for value in y.decades():
        yield _line(x.start, y(value), x.end, y(value), "#e5e7eb")
        yield _text(x.start - 8, y(value) + 4, _short(value), anchor="end")


def _drawn(curve: Curve, x: _Scale, y: _Scale, colour: str, legend: float) -> Iterator[str]:
    sizes = [size for size, _ in curve.points]
    low, high = 10.0**y.first, 10.0**y.last
    ends = [(size, min(max(curve.fit.at(size), low), high)) for size in (min(sizes), max(sizes))]
    (left, first), (right, last) = ends
    yield _line(x(left), y(first), x(right), y(last), colour)
    for size, value in curve.points:
        yield f'<circle cx="{x(size):.1f}" cy="{y(value):.1f}" r="4" fill="{colour}"/>'
    yield f'<circle cx="{_WIDTH - _RIGHT + 20}" cy="{legend - 4}" r="4" fill="{colour}"/>'
    yield _text(_WIDTH - _RIGHT + 30, legend, curve.name)
    yield _text(_WIDTH - _RIGHT + 30, legend + 15, f"grows with the power {curve.fit.exponent:.2f}")


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="1.5"/>'


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 12) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
    return f'<text {place} fill="#111827">{html.escape(words)}</text>'


def _short(value: float) -> str:
    return numbers.grouped(value) if value >= 1 else f"{value:g}"
