"""The commands of an installation page, as a script that can be run.

Blocks of the kind `sh` are run, those of lists too, in the order of the page and in one shell; blocks of the kind
`console` are not.
"""

import re
import textwrap
from collections.abc import Mapping
from pathlib import Path

from cluster import console, environment, errors, layout, process

CLUSTER = "neuronspan"
"""As the page of kind calls it."""
SECONDS = 1500.0
DIRECTORY = layout.CHECKOUT / "docs/install"
_BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def text_of(name: str) -> str:
    """Return a page of docs/install."""
    return (DIRECTORY / f"{name}.md").read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    """Return the blocks to run, in order. Pure."""
    return [textwrap.dedent(block) for block in _BLOCK.findall(text)]


def script(text: str, here: Mapping[str, str]) -> str:
    """Return all blocks as one script, with what stands for the reader's own things replaced. Pure.

    Raises ClusterError when something to be replaced is not in the page any more.
    """
    whole = "\n".join(blocks(text))
    for written, mine in here.items():
        if written not in whole:
            raise errors.ClusterError(f"the page does not say {written!r} any more, which is {mine!r} here")
        whole = whole.replace(written, mine)
    return f"set -euxo pipefail\n{whole}"


def link_release(release: Path, directory: Path) -> None:
    """Put the release's files, and nothing else, where a reader has them."""
    directory.mkdir()
    for path in release.iterdir():
        (directory / path.name).symlink_to(path)


def follow(script: str, release: Path, directory: Path, programs: Path, kubeconfig: Path) -> None:
    """Run a page as somebody who has the release's files and a home without settings.

    Raises CommandFailed with the last lines, when a command fails.
    """
    link_release(release, directory / "release")
    (directory / "home").mkdir()
    variables = environment.variables(
        PATH=f"{programs}:{environment.value('PATH')}",
        KUBECONFIG=str(kubeconfig),
        HOME=str(directory / "home"),
        NEURONSPAN_CACHE=str(layout.cache().root),
    )
    log = layout.cache().log(f"install-{directory.name}")
    log.unlink(missing_ok=True)
    process.logged(
        ["bash", "-c", script],
        log,
        timeout=SECONDS,
        alive=lambda: console.say(f"still running, log {log}"),
        variables=variables,
        directory=directory / "release",
    )
