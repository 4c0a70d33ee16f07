"""Images in the Docker engine: look, list, pull, load, tag, untag."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from cluster import console, environment, errors, process

ASK_SECONDS = 30.0
LOAD_SECONDS = 600.0
PULL_SECONDS = 600.0
REGISTRY_SILENT = re.compile(r"no such host|i/o timeout|connection refused|network is unreachable|TLS handshake|EOF")


def identity(reference: str) -> str | None:
    """The id, `sha256:...`, of an image in the engine; None when it has no such image."""
    try:
        text = process.run(["docker", "image", "inspect", "--format", "{{.Id}}", reference], timeout=ASK_SECONDS)
    except errors.CommandTimedOut:
        raise
    except errors.CommandFailed:
        return None
    return text.strip()


def labels(reference: str) -> dict[str, str]:
    """The labels of an image in the engine; CommandFailed when it has no such image."""
    form = "{{json .Config.Labels}}"
    found: dict[str, str] | None = json.loads(
        process.run(["docker", "image", "inspect", "--format", form, reference], timeout=ASK_SECONDS)
    )
    return found or {}


def pull(reference: str, log: Path) -> bool:
    """Pull an image; False, and one line why, when its registry does not answer or has none."""
    source = mirrored(reference, environment.value("NEURONSPAN_IMAGE_MIRROR"))
    try:
        with console.Step(f"pulling {source}") as step:
            process.logged(
                ["docker", "pull", "--quiet", source],
                log,
                timeout=PULL_SECONDS,
                alive=lambda: step.progress("still pulling"),
            )
    except errors.CommandFailed as error:
        console.say(f"{source}: {why_not(error.tail)}")
        return False
    if source != reference:
        tag(source, reference)
    return True


def mirrored(reference: str, mirror: str) -> str:
    """Where an image of Docker Hub is pulled from: `mirror` is a registry, with a path or without, or empty. Pure."""
    if not mirror:
        return reference
    return f"{mirror}/{reference if '/' in reference else f'library/{reference}'}"


def why_not(complaint: str) -> str:
    """The engine's complaint about a pull in few words."""
    if REGISTRY_SILENT.search(complaint):
        return "its registry cannot be reached from here, making the image on this machine"
    last = complaint.strip().splitlines()[-1:] or ["no reason given"]
    return f"cannot be pulled ({last[0]}), making the image on this machine"


def load(archive: Path) -> None:
    """Load a docker archive into the engine."""
    with console.Step(f"loading {archive.name} into the engine"):
        process.run(["docker", "load", "--quiet", "--input", archive], timeout=LOAD_SECONDS)


def names_of(repository: str) -> dict[str, str]:
    """The names `repository:tag` in the engine, each with the time when its image was made, in a form that sorts."""
    form = "{{.Repository}}:{{.Tag}}\t{{.CreatedAt}}"
    text = process.run(["docker", "image", "ls", "--format", form, repository], timeout=ASK_SECONDS)
    return dict(line.split("\t", 1) for line in text.splitlines())


def untag(references: Sequence[str]) -> None:
    """Take names away, and images that have no other name and no container; CommandFailed when one is in use."""
    process.run(["docker", "image", "rm", *references], timeout=LOAD_SECONDS)


def tag(source: str, target: str) -> None:
    """Return an image one more name."""
    process.run(["docker", "tag", source, target], timeout=ASK_SECONDS)
