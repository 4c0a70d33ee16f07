"""Where the custom resources and the examples are: in the wheel beside this package, in a checkout at its root."""

import pathlib

_PACKAGE = pathlib.Path(__file__).resolve().parent.parent
_ROOT = _PACKAGE.parent.parent


def definitions() -> pathlib.Path:
    """Return the directory of the custom resource definitions."""
    return _first(_PACKAGE / "crds", _ROOT / "charts" / "neuronspan" / "crds")


def examples() -> pathlib.Path:
    """Return the directory of the examples."""
    return _first(_PACKAGE / "examples", _ROOT / "examples")


def _first(installed: pathlib.Path, checked_out: pathlib.Path) -> pathlib.Path:
    return installed if installed.is_dir() else checked_out
