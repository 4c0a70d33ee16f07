"""`python -m generate`: what `make generate` runs after the gRPC stubs."""

import argparse
import pathlib
import sys
from collections.abc import Sequence

from generate import documents

_CHECKOUT = pathlib.Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what is stale, or only name it; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m generate", description="write the lists of chart and documentation"
    )
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a file is not up to date")
    parser.add_argument("--checkout", type=pathlib.Path, default=_CHECKOUT, help="default: the one this file is in")
    options = parser.parse_args(arguments)
    stale = documents.stale(options.checkout)
    for path, text in stale.items():
        print(f"{path.relative_to(options.checkout)}: {'not up to date' if options.check else 'written'}")
        if not options.check:
            path.write_text(text, encoding="utf-8")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
