"""`neuronspan-runtime`: builds the C++ library of the device, says where it is, and what a compiled model costs.

Law: decides nothing; it prints what was found, built or counted.
"""

import argparse
import pathlib
import sys
from collections.abc import Iterator, Sequence

from neuronspan import errors as domain_errors
from neuronspan_runtime.library import extension, torch_builds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    description = "Build the C++ library of the device, say where it is, or what a compiled model costs."
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
    cost = commands.add_parser("cost", help="print the work of a saved model, and what it would take on a NeuronCore")
    cost.add_argument("file", help="what traced.save() or torch.jit.save wrote")
    cost.add_argument("--instance-type", default="", metavar="TYPE", help="of this one only, such as inf2.xlarge")
    options = parser.parse_args(arguments)
    try:
        if options.command == "cost":
            print("\n".join(_cost(options.file, options.instance_type)))
        else:
            print(_built(options.output) if options.command == "build" else extension.library())
    except (domain_errors.NeuronspanError, RuntimeError, ValueError, OSError) as error:
        print(f"neuronspan-runtime: {error}", file=sys.stderr)
        return 1
    return 0


def _cost(file: str, instance: str) -> Iterator[str]:
    from neuronspan_runtime.registering import registration  # noqa: PLC0415 - the other commands do without the device
    from neuronspan_runtime.timing import report  # noqa: PLC0415 - as above

    registration.register()
    return report.of_file(file, instance)


def _built(output: pathlib.Path | None) -> pathlib.Path:
    if output is None:
        return extension.library(again=True)
    build = torch_builds.installed_torch()
    return extension.built_once(build, output / torch_builds.key(build), again=True)


if __name__ == "__main__":
    sys.exit(main())
