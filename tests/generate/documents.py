"""Which file of the checkout has which generated part."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Final

from generate import agents, pictures, regions, schemas, tables, templates
from neuronspan_deviceplugin import config as plugin_config
from neuronspan_operator import config as operator_config

_CHART = pathlib.PurePath("charts", "neuronspan")
_REFERENCE = pathlib.PurePath("docs", "reference")

WHOLE: Final[Mapping[pathlib.PurePath, Callable[[], str]]] = {
    _CHART / "templates" / "_annotations.tpl": templates.requests,
    _CHART / "templates" / "_hardware.tpl": templates.hardware,
    pathlib.PurePath("docs", "torus.svg"): pictures.torus,
}
"""Files that are generated from the first line to the last."""

PARTS: Final[Mapping[pathlib.PurePath, Callable[[], schemas.Contents]]] = {
    _CHART / "crds" / "neuronnodes.yaml": schemas.neuron_nodes,
    _CHART / "crds" / "neuronpools.yaml": schemas.neuron_pools,
    _CHART / "values.yaml": schemas.values,
    _CHART / "values.schema.json": schemas.values_schema,
    _CHART / "README.md": lambda: {"instance-types": tables.machines()},
    pathlib.PurePath("README.md"): lambda: {"annotations": tables.requests()},
    _REFERENCE / "annotations.md": lambda: {"annotations": tables.reference()},
    _REFERENCE / "metrics.md": lambda: {
        "operator-metrics": agents.operator_meters(),
        "plugin-metrics": agents.plugin_meters(),
    },
    _REFERENCE / "settings.md": lambda: {
        "operator-settings": agents.settings(operator_config.Settings),
        "plugin-settings": agents.settings(plugin_config.Settings),
    },
}
"""Files with marked parts in a hand-written rest."""


def stale(checkout: pathlib.Path) -> dict[pathlib.Path, str]:
    """Return the files that differ from what the domain says, each with the text that it should have.

    Raises MarkerError, with the file's name, when the markers of a file do not fit.
    """
    wanted = {checkout / name: write() for name, write in WHOLE.items()}
    for name, contents in PARTS.items():
        path = checkout / name
        try:
            wanted[path] = regions.fill(_text(path), contents())
        except regions.MarkerError as error:
            raise regions.MarkerError(f"{name}: {error}") from error
    return {path: text for path, text in wanted.items() if _text(path) != text}


def _text(path: pathlib.Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
