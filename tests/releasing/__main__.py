"""Command line of releases: what one is made of, one, two compared, one started, one pushed.

Law: failures are one sentence.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import neuronspan
from cluster import console, errors, go_modules, layout, tools
from releasing import platform_wheel, pushing, release, starting, twice, wheels
from releasing.images import debian

OUT = layout.CHECKOUT / "build/release"
WHEELS = layout.CHECKOUT / "build/wheels"


def parser() -> argparse.ArgumentParser:
    """Return the commands and what they take."""
    top = argparse.ArgumentParser(prog="python -m releasing", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("lock", help="write the lists of what is installed anew")
    commands.add_parser("release", help="write everything of a release")
    commands.add_parser("wheels", help="write the wheel with compiled libraries in it, and the one without")
    commands.add_parser("twice", help="release the commit from two checkouts, and compare")
    commands.add_parser("start", help="start every image of the release, other architectures emulated")
    push = commands.add_parser("push", help="push images and chart of a release")
    push.add_argument("registry", help="host and prefix, registry.example.com/team for one")
    push.add_argument("--insecure", action="store_true", help="speak plain HTTP")
    return top


def main(words: Sequence[str]) -> int:
    """Run one command; return the exit status."""
    options = parser().parse_args(words)
    try:
        _run(options)
    except errors.ClusterError as error:
        console.say(str(error))
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    if options.command == "lock":
        wheels.lock()
        with tempfile.TemporaryDirectory() as temporary:
            debian.lock(Path(temporary))
    elif options.command == "release":
        print(release.make(OUT))
    elif options.command == "wheels":
        shutil.rmtree(WHEELS, ignore_errors=True)
        created = platform_wheel.time_of_commit()
        print(wheels.build(WHEELS, created), platform_wheel.make(WHEELS, created), sep="\n")
    elif options.command == "twice":
        print(*(f"{sha256}  {name}" for name, sha256 in twice.make().items()), sep="\n")
    elif options.command == "start":
        for sentence in starting.start_all(OUT / neuronspan.__version__):
            print(sentence, flush=True)
    else:
        crane = tools.ensure(go_modules.CRANE) / "crane"
        flags = ("--insecure",) if options.insecure else ()
        where = OUT / neuronspan.__version__
        print(*pushing.push(where, options.registry, crane, tools.program("helm"), flags), sep="\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
