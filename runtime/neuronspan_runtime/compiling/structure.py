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
    """A tuple, or a list of tensors."""

    parts: tuple["Structure", ...]
    is_list: bool = False

    def type_text(self) -> str:
        """Return the TorchScript type."""
        return "List[Tensor]" if self.is_list else f"Tuple[{', '.join(part.type_text() for part in self.parts)}]"

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
        return f"[{items}]" if self.is_list else f"({items},)"


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
        return [f"{expression}[{key!r}]" for key in self.keys]

    def built(self, leaves: Iterator[Any]) -> Any:
        """Return a value with this structure from its leaves."""
        return {key: next(leaves) for key in self.keys}

    def built_text(self, leaves: Iterator[str]) -> str:
        """Return the TorchScript expression of a value from the expressions of its leaves."""
        return "{" + ", ".join(f"{key!r}: {next(leaves)}" for key in self.keys) + "}"


Structure = Leaf | Items | Keyed


def without(whole: Structure, dropped: Collection[int]) -> Structure | None:
    """Return what is left without the leaves at these positions; containers that become empty go too.

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
    return Items(parts, whole.is_list) if parts else None


def structure_of(value: Any, is_leaf: Callable[[Any], bool], name: str) -> Structure:
    """Describe how a value nests. Raises TraceRefused, naming the place, for what TorchScript cannot pass."""
    if is_leaf(value):
        return Leaf()
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str) or not is_leaf(item):
                raise errors.TraceRefused(
                    f"{name}[{key!r}] is {type(item).__name__}: "
                    "a dict may only hold tensors under string keys, use a tuple"
                )
        return Keyed(tuple(value))
    if isinstance(value, (tuple, list)) and value:
        parts = tuple(structure_of(item, is_leaf, f"{name}[{index}]") for index, item in enumerate(value))
        return Items(parts, is_list=isinstance(value, list) and all(isinstance(part, Leaf) for part in parts))
    raise errors.TraceRefused(
        f"{name} is {type(value).__name__}: a compiled model takes and returns tensors, in tuples, lists or dicts"
    )
