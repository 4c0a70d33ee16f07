"""Command line of releases: `release` writes one, `push` puts it into a registry; failures are one sentence."""

import argparse
import sys
from collections.abc import Sequence

import neuronspan
from cluster import console, errors, go_modules, layout, tools
from releasing import pushing, release

OUT = layout.CHECKOUT / "build/release"


def parser() -> argparse.ArgumentParser:
    """Return the commands and what they take."""
    top = argparse.ArgumentParser(prog="python -m releasing", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("release", help="write everything of a release")
    push = commands.add_parser("push", help="push images and chart of a release")
    push.add_argument("registry", help="host and prefix, registry.example.com/team for one")
    push.add_argument("--insecure", action="store_true", help="speak plain HTTP")
    return top


def main(words: Sequence[str]) -> int:
    """Run one command; return the exit status."""
    options = parser().parse_args(words)
    try:
        if options.command == "release":
            print(release.make(OUT))
        else:
            crane = tools.ensure(go_modules.CRANE) / "crane"
            flags = ("--insecure",) if options.insecure else ()
            where = OUT / neuronspan.__version__
            print(*pushing.push(where, options.registry, crane, tools.program("helm"), flags), sep="\n")
    except errors.ClusterError as error:
        console.say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
