"""What neuron-top shows of all that it could, and how keys change it.

Keys are those of AWS's neuron-top: digits choose a tab, `a` and `d` the previous and the next one, arrows walk the tree
of models, `x` opens or closes all of it. `q` ends.

Law: pure; a state and a key in, the next state out.
"""

import dataclasses
from collections.abc import Iterable, Sequence

from neuronspan_runtime.cores import hardware
from neuronspan_runtime.tools import machine_view, memory_use

Key = tuple[str, ...]
"""A line of the tree by its names from the root on."""
QUIT = "q"
UP, DOWN, LEFT, RIGHT = "up", "down", "left", "right"


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of the tree."""

    key: Key
    label: str
    model_id: str
    host_bytes: int
    device_bytes: int
    inner: bool
    """Has lines below it."""

    @property
    def depth(self) -> int:
        """Lines above it up to the root."""
        return len(self.key) - 1


@dataclasses.dataclass(frozen=True)
class State:
    """What is chosen."""

    tag: str | None = None
    """Whose data is shown; None for all processes."""
    cursor: int = 0
    """The chosen line among those that are shown."""
    closed: frozenset[Key] = frozenset()


def shown(state: State, owners: Sequence[machine_view.CoreOwner]) -> tuple[machine_view.CoreOwner, ...]:
    """Return the processes of the chosen tab; all of them when the chosen one has ended."""
    chosen = tuple(owner for owner in owners if owner.tag == state.tag)
    return chosen or tuple(owners)


def tabs(owners: Iterable[machine_view.CoreOwner]) -> tuple[str | None, ...]:
    """Return the tabs: all, and each tag once."""
    return (None, *dict.fromkeys(owner.tag for owner in owners))


def tree(
    owners: Iterable[machine_view.CoreOwner], numbering: hardware.Numbering = hardware.NODE_NUMBERING
) -> list[Line]:
    """Return every line of the tree: process, core, and what the core's memory holds."""
    lines: list[Line] = []
    for owner in owners:
        below: list[Line] = []
        for core, page in owner.pages.items():
            used = memory_use.by_purpose(page.counters)
            key = (str(owner.pid), str(core))
            inside = [
                Line((*key, str(model.id)), model.name or "model", str(model.id), 0, model.bytes, inner=False)
                for model in page.models
            ]
            inside += [
                Line((*key, name), name, "", 0, used[purpose], inner=False)
                for name, purpose in (("Model Code", "model_code"), ("Tensors", "tensors"))
                if used[purpose]
            ]
            below += [
                Line(key, f"NeuronCore {numbering.core(core)}", "", 0, sum(used.values()), inner=bool(inside)),
                *inside,
            ]
        host = owner.process.resident_bytes if owner.process else 0
        total = sum(line.device_bytes for line in below if line.depth == 1)
        lines += [Line((str(owner.pid),), _root(owner), "", host, total, inner=bool(below)), *below]
    return lines


def _root(owner: machine_view.CoreOwner) -> str:
    """Return the tag and the process, once when they are the same."""
    return owner.tag if owner.tag == str(owner.pid) else f"{owner.tag} ({owner.pid})"


def opened(state: State, lines: Iterable[Line]) -> list[Line]:
    """Return the lines that are not below a closed one."""
    return [line for line in lines if not any(line.key[:depth] in state.closed for depth in range(1, len(line.key)))]


def pressed(state: State, key: str, owners: Sequence[machine_view.CoreOwner]) -> State:
    """Return what a key makes of the state; keys without a meaning change nothing."""
    names = tabs(owners)
    at = names.index(state.tag) if state.tag in names else 0
    if key.isdigit() and 1 <= int(key) <= len(names):
        return State(names[int(key) - 1], closed=state.closed)
    if key in {"a", "d"}:
        return State(names[(at + (1 if key == "d" else -1)) % len(names)], closed=state.closed)
    return _in_tree(state, key, tree(shown(state, owners)))


def _in_tree(state: State, key: str, lines: list[Line]) -> State:
    visible = opened(state, lines)
    if not visible:
        return state
    cursor = min(state.cursor, len(visible) - 1)
    match key:
        case "up" | "down":
            moved = cursor + (1 if key == DOWN else -1)
            return dataclasses.replace(state, cursor=min(max(moved, 0), len(visible) - 1))
        case "left":
            return _closer(state, visible, cursor)
        case "right":
            return dataclasses.replace(state, closed=state.closed - {visible[cursor].key})
        case "x":
            inner = frozenset(line.key for line in lines if line.inner)
            return dataclasses.replace(state, cursor=0, closed=frozenset() if state.closed & inner else inner)
        case _:
            return state


def _closer(state: State, visible: list[Line], cursor: int) -> State:
    """Close the chosen line; if it is closed, or has nothing below it, go to the one above it."""
    line = visible[cursor]
    if line.inner and line.key not in state.closed:
        return dataclasses.replace(state, closed=state.closed | {line.key})
    above = (index for index, other in enumerate(visible) if other.key == line.key[:-1])
    return dataclasses.replace(state, cursor=next(above, cursor))
