"""`neuronspan-runtime`: builds the C++ library of the device ahead of its first use, or says where it is.

Law: decides nothing; it prints which library was found or built.
"""

import argparse
import pathlib
import sys
from collections.abc import Sequence

from neuronspan_runtime import errors
from neuronspan_runtime.library import extension, torch_builds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    description = "Build the C++ library of the device ahead of its first use, or say where it is."
    parser = argparse.ArgumentParser(prog="neuronspan-runtime", description=description)
    commands = parser.add_subparsers(dest="command", required=True)
    told = "build the library for the installed torch, unless it is built; what failed is tried again"
    build = commands.add_parser("build", help=told)
    build.add_argument(
        "--output",
        type=pathlib.Path,
        metavar="DIRECTORY",
        help="keep it in DIRECTORY/<key>/ instead of the cache; an image uses the package's own lib/",
    )
    commands.add_parser("path", help="print the library that the first use would load, building it if needed")
    options = parser.parse_args(arguments)
    try:
        print(_built(options.output) if options.command == "build" else extension.library())
    except errors.LibraryUnavailable as error:
        print(f"neuronspan-runtime: {error}", file=sys.stderr)
        return 1
    return 0


def _built(output: pathlib.Path | None) -> pathlib.Path:
    if output is None:
        return extension.library(again=True)
    build = torch_builds.installed_torch()
    return extension.built_once(build, output / torch_builds.key(build), again=True)


if __name__ == "__main__":
    sys.exit(main())
