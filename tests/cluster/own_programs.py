"""The machine's own kind, helm and kubectl: used by the demo where they are new enough, so that nothing is compiled.

Law: a program is looked at once in a run, and asked nothing but its version.
"""

import dataclasses
import functools
import re
import shutil
from pathlib import Path

from cluster import console, errors, go_modules, process

ASK_SECONDS = 20.0
Version = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Range:
    """Versions that will do: from `oldest` on, and older than `too_new`."""

    oldest: Version
    too_new: Version

    def __contains__(self, version: Version) -> bool:
        return self.oldest <= version < self.too_new

    def __str__(self) -> str:
        return f"{dotted(self.oldest)} or newer, older than {dotted(self.too_new)}"


COMMANDS = {
    "kind": ("version",),
    "helm": ("version", "--short"),
    "kubectl": ("version", "--client"),
}
"""How each is asked for its version."""


def ranges(kubernetes: str) -> dict[str, Range]:
    """Which versions will do with a `kubernetes` like `v1.36.3`. Pure.

    kind and helm: from the oldest versions on that were tried with the nodes and the chart of this checkout, 0.33 and
    3.20 (and 3.22). helm 4 applies on the server, and was not tried. kubectl: one minor version away from the API
    server (Kubernetes' version skew policy).
    """
    minor = int(kubernetes.split(".")[1])
    return {
        "kind": Range((0, 33), (1, 0)),
        "helm": Range((3, 20), (4, 0)),
        "kubectl": Range((1, minor - 1), (1, minor + 2)),
    }


@functools.cache
def find(name: str) -> Path | None:
    """The machine's own program when its version will do; None, and one line why, when not."""
    wanted = ranges(go_modules.kubernetes_version()).get(name)
    command = shutil.which(name)
    if not wanted or not command:
        return None
    version = _version(command, name)
    if version in wanted:
        console.say(f"using {command} {dotted(version)}")
        return Path(command)
    console.say(f"not using {command} {dotted(version)}: it would have to be {wanted}")
    return None


def _version(command: str, name: str) -> Version:
    try:
        return parse_version(process.run([command, *COMMANDS[name]], timeout=ASK_SECONDS))
    except (errors.CommandFailed, OSError):
        return (0, 0)


def parse_version(text: str) -> Version:
    """(1, 36) from the first version in a text, like `Client Version: v1.36.3`; (0, 0) when there is none. Pure."""
    found = re.search(r"\bv(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def dotted(version: Version) -> str:
    """`1.36`. Pure."""
    return f"{version[0]}.{version[1]}"
