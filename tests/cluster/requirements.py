"""What pyproject.toml asks for, with references to its own extras followed. Pure."""

import json
import re
import tomllib
from collections.abc import Iterable

OWN = re.compile(r"neuronspan\[([^\]]+)\]")


def of_extras(pyproject: str, extras: Iterable[str]) -> tuple[str, ...]:
    """The third-party requirements of `extras`, sorted, each once; KeyError names an extra that does not exist."""
    declared: dict[str, list[str]] = tomllib.loads(pyproject)["project"]["optional-dependencies"]
    found: set[str] = set()
    waiting, seen = list(extras), set()
    while waiting:
        extra = waiting.pop()
        if extra in seen:
            continue
        seen.add(extra)
        for requirement in declared[extra]:
            own = OWN.fullmatch(requirement)
            if own:
                waiting += [name.strip() for name in own[1].split(",")]
            else:
                found.add(requirement)
    return tuple(sorted(found))


def of_build(pyproject: str) -> tuple[str, ...]:
    """What building our wheel asks for."""
    return tuple(tomllib.loads(pyproject)["build-system"]["requires"])


def of_group(pyproject: str, name: str) -> tuple[str, ...]:
    """The requirements of a dependency group; KeyError names one that does not exist."""
    return tuple(sorted(tomllib.loads(pyproject)["dependency-groups"][name]))


def pins(report: str) -> tuple[str, ...]:
    """`name==version` for everything in pip's installation report."""
    chosen = (entry["metadata"] for entry in json.loads(report)["install"])
    return tuple(sorted((f"{entry['name']}=={entry['version']}" for entry in chosen), key=str.lower))
