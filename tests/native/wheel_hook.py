"""Puts compiled libraries into a wheel: hatchling calls this where HATCH_BUILD_HOOK_ENABLE_CUSTOM is set.

Law: takes what a directory holds; which libraries these are, and for which systems, who made them says.
"""

import os
import pathlib
import platform
from typing import Any

from hatchling.builders.hooks.plugin import interface

LIBRARIES_ENV = "NEURONSPAN_WHEEL_LIBRARIES"
"""A directory in the layout of the runtime's cache: <key>/libneuronspan.so."""


class LibrariesHook(interface.BuildHookInterface):  # type: ignore[misc]  # not installed where types are checked
    """Adds the libraries; the wheel is then one for this machine, and for any Python: they do not link it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Declare the files and the tag. Raises ValueError when there are none."""
        libraries = pathlib.Path(os.environ[LIBRARIES_ENV])  # noqa: TID251 - a build has no other way to be told
        if not any(libraries.glob("*/*.so")):
            raise ValueError(f"{LIBRARIES_ENV}={libraries} has no libraries in it: `make wheels` builds them")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-linux_{platform.machine()}"
        build_data["force_include"][str(libraries)] = "neuronspan_runtime/lib"
