"""The Markdown tables of what an agent can be told, and of what it tells: its settings and its metrics."""

import dataclasses
from collections.abc import Iterator
from typing import Any, Final

from generate import tables
from neuronspan import ledger
from neuronspan_agent import meters
from neuronspan_agent import settings as agent_settings
from neuronspan_deviceplugin import metrics as plugin_metrics
from neuronspan_operator import metrics as operator_metrics

_NODE: Final = "w1"
_CORES: Final = 4


class _Noting(meters.Meters):
    """An agent's metrics, each noted as it is declared: labels cannot be asked for later."""

    def __init__(self, *prefix: str) -> None:
        self.declared: list[tuple[str, str, str, tuple[str, ...]]] = []
        super().__init__(*prefix)

    def counter(self, name: str, meaning: str, *labels: str) -> Any:
        """Note a counter, which is exported under a longer name."""
        self.declared.append((f"{self._prefix}_{name}_total", "counter", meaning, labels))
        return super().counter(name, meaning, *labels)

    def gauge(self, name: str, meaning: str, *labels: str) -> Any:
        """Note a gauge."""
        self.declared.append((f"{self._prefix}_{name}", "gauge", meaning, labels))
        return super().gauge(name, meaning, *labels)

    def histogram(self, name: str, meaning: str, buckets: Any, *labels: str) -> Any:
        """Note a histogram."""
        self.declared.append((f"{self._prefix}_{name}", "histogram", meaning, labels))
        return super().histogram(name, meaning, buckets, *labels)


class _OfOperator(_Noting, operator_metrics.Metrics):
    """The operator's."""


class _OfPlugin(_Noting, plugin_metrics.Metrics):
    """The device plugin's."""


def operator_meters() -> list[str]:
    """Return the table of the operator's metrics, those per node last."""
    noted = _OfOperator()
    noted.nodes.show({_NODE: ledger.Ledger(cores=_CORES)})
    per_node = (
        (each.name, each.type, each.documentation, tuple(each.samples[0].labels)) for each in noted.nodes.collect()
    )
    return _meters([*noted.declared, *per_node])


def plugin_meters() -> list[str]:
    """Return the table of the device plugin's metrics."""
    return _meters(_OfPlugin().declared)


def settings(form: type[Any]) -> list[str]:
    """Return the table of an agent's settings, in the order of their declaration."""
    return tables.table(("Flag", "Variable", "Value", "Default", "Meaning"), map(_setting, dataclasses.fields(form)))


def _setting(field: "dataclasses.Field[Any]") -> Iterator[str]:
    yield f"`{agent_settings.flag(field.name)}`"
    yield f"`{agent_settings.variable(field.name)}`"
    yield field.metadata["kind"].expected
    yield _default(field.default)
    yield field.metadata["meaning"]


def _default(value: Any) -> str:
    if value is dataclasses.MISSING:
        return "none: it has to be given"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{value}`" if str(value) else ""


def _meters(declared: list[tuple[str, str, str, tuple[str, ...]]]) -> list[str]:
    rows = (
        (f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), meaning)
        for name, kind, meaning, labels in declared
    )
    return tables.table(("Metric", "Kind", "Labels", "Meaning"), rows)
