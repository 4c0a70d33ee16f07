"""The Markdown tables: annotations for the README and the reference, instance types for the chart's README."""

from collections.abc import Iterable, Sequence

from neuronspan import annotations, instance_types

_GIB = 1024**3


def requests() -> list[str]:
    """Return the README's table of annotations."""
    rows = ((_keys(each), _values(each), each.meaning) for each in annotations.OF_USERS)
    return table(("Annotation", "Value", "Meaning"), rows)


def reference() -> list[str]:
    """Return the reference's table: every annotation with the form of its value and how far it reaches."""
    rows = ((_keys(each), _values(each), _form(each), each.effect) for each in annotations.OF_USERS)
    return table(("Annotation", "Value", "Form", "Decides"), rows)


def machines() -> list[str]:
    """Return the table of instance types."""
    header = ("Instance type", "NeuronCores", "Neuron devices", "HBM per device", "Wiring", "LNC")
    return table(header, map(_machine, instance_types.INSTANCE_TYPES.values()))


def _machine(each: instance_types.InstanceType) -> Sequence[str]:
    sizes = sorted(each.logical_core_sizes, key=lambda size: size != each.default_logical_core_size)
    return (
        f"`{each.name}`",
        f"{each.devices * each.cores_per_device} ({each.architecture})",
        str(each.devices),
        f"{each.hbm_bytes_per_device // _GIB} GiB",
        each.topology,
        ", ".join(map(str, sizes)),
    )


def _keys(annotation: annotations.Annotation) -> str:
    return ", ".join(f"`{key}`" for key in annotation.keys)


def _values(annotation: annotations.Annotation) -> str:
    if not annotation.choices:
        return f'`"{annotation.example}"`'
    marks = {annotation.default: " (default)"}
    return ", ".join(f"`{each.value}`{marks.get(each.value, '')}" for each in annotation.choices)


def _form(annotation: annotations.Annotation) -> str:
    """Return the pattern, without what a Markdown table would take for the end of a cell."""
    return "one of these words" if annotation.choices else f"`{annotation.pattern.replace('|', chr(92) + '|')}`"


def table(header: Sequence[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return a table's lines."""
    return [_row(header), "|" + "---|" * len(header), *map(_row, rows)]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
