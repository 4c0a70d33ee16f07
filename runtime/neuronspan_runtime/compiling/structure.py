"""How a model's inputs or outputs nest: tensors in tuples, lists and string-keyed dicts.

One value knows the TorchScript type, how to take the leaves out of an expression, and how to put them back together.

Law: pure; what a leaf is, the caller says.
"""

import dataclasses
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from neuronspan_runtime import errors


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One tensor."""

    def type_text(self) -> str:
        """Return the TorchScript type."""
        return "Tensor"

    def leaves_of(self, value: Any) -> list[Any]:
        """Return the leaves of a value with this structure."""
        return [value]

    def leaf_texts(self, expression: str) -> list[str]:
        """Return TorchScript expressions for the leaves of an expression."""
        return [expression]

    def built(self, leaves: Iterator[Any]) -> Any:
        """Return a value with this structure from its leaves."""
        return next(leaves)

    def built_text(self, leaves: Iterator[str]) -> str:
        """Return the TorchScript expression of a value from the expressions of its leaves."""
        return next(leaves)


@dataclasses.dataclass(frozen=True)
class Items:
    """A tuple, which may be empty, or a list of tensors."""

    parts: tuple["Structure", ...]
    is_list: bool = False

    def type_text(self) -> str:
        """Return the TorchScript type."""
        if self.is_list:
            return "List[Tensor]"
        return f"Tuple[{', '.join(part.type_text() for part in self.parts) or '()'}]"

    def leaves_of(self, value: Any) -> list[Any]:
        """Return the leaves of a value with this structure."""
        return [leaf for part, item in zip(self.parts, value, strict=True) for leaf in part.leaves_of(item)]

    def leaf_texts(self, expression: str) -> list[str]:
        """Return TorchScript expressions for the leaves of an expression."""
        return [text for index, part in enumerate(self.parts) for text in part.leaf_texts(f"{expression}[{index}]")]

    def built(self, leaves: Iterator[Any]) -> Any:
        """Return a value with this structure from its leaves."""
        return (list if self.is_list else tuple)(part.built(leaves) for part in self.parts)

    def built_text(self, leaves: Iterator[str]) -> str:
        """Return the TorchScript expression of a value from the expressions of its leaves."""
        items = ", ".join(part.built_text(leaves) for part in self.parts)
        if self.is_list:
            return f"[{items}]"
        return f"({items},)" if items else "()"


@dataclasses.dataclass(frozen=True)
class Keyed:
    """A dict from strings to tensors, in the order of the example."""

    keys: tuple[str, ...]

    def type_text(self) -> str:
        """Return the TorchScript type."""
        return "Dict[str, Tensor]"

    def leaves_of(self, value: Any) -> list[Any]:
        """Return the leaves of a value with this structure."""
        return [value[key] for key in self.keys]

    def leaf_texts(self, expression: str) -> list[str]:
        """Return TorchScript expressions for the leaves of an expression."""
        return [f"{expression}[{text_literal(key)}]" for key in self.keys]

    def built(self, leaves: Iterator[Any]) -> Any:
        """Return a value with this structure from its leaves."""
        return {key: next(leaves) for key in self.keys}

    def built_text(self, leaves: Iterator[str]) -> str:
        """Return the TorchScript expression of a value from the expressions of its leaves."""
        return "{" + ", ".join(f"{text_literal(key)}: {next(leaves)}" for key in self.keys) + "}"


Structure = Leaf | Items | Keyed


def text_literal(text: str) -> str:
    """Return a text as TorchScript source, which has neither letters beyond ASCII nor Python's escapes for them."""
    if text.isascii() and text.isprintable():
        return repr(text)
    return '"' + "".join(f"\\{byte:03o}" for byte in text.encode()) + '"'


def without(whole: Structure, dropped: Collection[int]) -> Structure | None:
    """Return what is left without the leaves at these positions; containers that become empty by it go too.

    A container that is left with a single leaf at the top is that leaf.
    """
    rest = _without(whole, itertools.count(), dropped)
    return rest.parts[0] if dropped and isinstance(rest, Items) and len(rest.parts) == 1 else rest


def _without(whole: Structure, positions: Iterator[int], dropped: Collection[int]) -> Structure | None:
    if isinstance(whole, Leaf):
        return None if next(positions) in dropped else whole
    if isinstance(whole, Keyed):
        keys = tuple(key for key in whole.keys if next(positions) not in dropped)
        return Keyed(keys) if keys else None
    parts = tuple(part for part in (_without(part, positions, dropped) for part in whole.parts) if part is not None)
    return Items(parts, whole.is_list) if parts or not whole.parts else None


def structure_of(value: Any, is_leaf: Callable[[Any], bool], name: str) -> Structure:
    """Describe how a value nests. Raises TraceRefused, naming the place, for what TorchScript cannot pass."""
    if is_leaf(value):
        return Leaf()
    if isinstance(value, (Mapping, list)) and not value:
        kind = "list" if isinstance(value, list) else "dict"
        raise errors.TraceRefused(
            f"{name} is an empty {kind}, and TorchScript cannot tell of what: leave it out, or make it an empty tuple"
        )
    if isinstance(value, Mapping):
        return _keyed(value, is_leaf, name)
    if isinstance(value, (tuple, list)):
        parts = tuple(structure_of(item, is_leaf, f"{name}[{index}]") for index, item in enumerate(value))
        return Items(parts, is_list=isinstance(value, list) and all(isinstance(part, Leaf) for part in parts))
    remedy = "leave it out" if value is None else "make it a tensor, or a constant of the model"
    raise errors.TraceRefused(
        f"{name} is {type(value).__name__}: a compiled model takes and returns tensors, in tuples, lists or dicts. "
        f"Here, {remedy}"
    )


def _keyed(value: Mapping[Any, Any], is_leaf: Callable[[Any], bool], name: str) -> Keyed:
    for key, item in value.items():
        if not isinstance(key, str):
            raise errors.TraceRefused(
                f"{name} has the key {key!r}, of type {type(key).__name__}: the keys of a dict are strings in a "
                f"compiled model. Use {str(key)!r}, or a tuple"
            )
        if not is_leaf(item):
            raise errors.TraceRefused(
                f"{name}[{key!r}] is {type(item).__name__}: a dict may only hold tensors, use a tuple"
            )
    return Keyed(tuple(value))
