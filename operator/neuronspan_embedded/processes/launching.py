"""What is started for a container: program, arguments, environment, directory. Pure."""

import dataclasses
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neuronspan_embedded import reasons

_NOT_RUNNABLE = reasons.ContainerReason.IMAGE_NOT_RUNNABLE
_CONFIGURATION = reasons.ContainerReason.CONFIGURATION
_RUNTIME = "neuronspan/runtime"
_INTERPRETER = re.compile(r"python(?:3(?:\.\d+)?)?")
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][\w.-]*)\)")


class CannotLaunch(Exception):  # noqa: N818 - the name says what happened
    """A container cannot be a process here; ``reason`` is that of its waiting state."""

    def __init__(self, reason: reasons.ContainerReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


Sources = Callable[[str, str], Mapping[str, bytes] | None]
"""Returns the data of a ConfigMap or a Secret ("configMap" or "secret", and its name), None when there is none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """What is here in place of images: the interpreter with the runtime, and how a program is found."""

    interpreter: str
    find: Callable[[str], str | None]


@dataclasses.dataclass(frozen=True, slots=True)
class Launch:
    """A process to start; ``note`` says what it does not have of its container, "" when that is nothing."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    directory: str
    note: str = ""


def launch(
    container: Mapping[str, Any],
    machine: Machine,
    environment: Mapping[str, str],
    mounts: Mapping[str, str],
    home: str,
) -> Launch:
    """Return the process for a container; raises CannotLaunch.

    ``mounts`` are paths in the container and where they are here: without root nothing can be mounted, so the paths
    are replaced where arguments and variables of the container name them.
    """
    mapped = {name: translated(value, mounts) for name, value in environment.items()}
    asked = [*(container.get("command") or ()), *(container.get("args") or ())]
    words = [translated(expanded(each, mapped), mounts) for each in asked]
    image = container.get("image", "")
    is_runtime = is_runtime_image(image)
    if not words and is_runtime:
        words = ["python3"]
    if not words:
        raise CannotLaunch(_NOT_RUNNABLE, f"image {image} has a program of its own: give command in the manifest")
    program = _program(words[0], machine, image)
    note = "" if is_runtime else f"image {image} is not used: {words[0]} of this machine runs, {program}"
    directory = translated(container.get("workingDir") or "", mounts) or home
    return Launch((program, *words[1:]), mapped, directory, note)


def is_runtime_image(image: str) -> bool:
    """Whether an image is that of our runtime, whatever registry it comes from."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}".endswith(_RUNTIME)


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """Return a text with ``$(NAME)`` replaced as kubelet does; unknown names stay, ``$$`` is a dollar."""

    def value(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else variables.get(found[1], found[0])

    return _REFERENCE.sub(value, text)


def translated(text: str, mounts: Mapping[str, str]) -> str:
    """Return a text with the paths of mounts replaced by those of this machine, longer ones first."""
    paths = sorted((each.rstrip("/") for each in mounts if each.rstrip("/")), key=len, reverse=True)
    if not paths:
        return text
    known = {each.rstrip("/"): target for each, target in mounts.items()}
    pattern = rf"(?<![\w./-])({'|'.join(map(re.escape, paths))})(?![\w.-])"
    return re.sub(pattern, lambda found: known[found[1]], text)


def resolved(container: Mapping[str, Any], facts: Mapping[str, str], sources: Sources) -> Sequence[tuple[str, str]]:
    """Return the variables of a manifest with their values; raises CannotLaunch.

    ``facts`` are the fields of the pod that can be asked for, ``sources`` gives the data of a ConfigMap or Secret.
    """
    known: dict[str, str] = {}
    for each in container.get("envFrom") or ():
        kind = "configMap" if "configMapRef" in each else "secret"
        reference = each[f"{kind}Ref"]
        data = sources(kind, reference["name"])
        if data is None and not reference.get("optional"):
            raise _missing(kind, reference["name"])
        known |= {f"{each.get('prefix') or ''}{key}": value for key, value in _texts(data or {}).items()}
    for each in container.get("env") or ():
        value = _value(each, known, facts, sources)
        if value is not None:
            known[each["name"]] = value
    return tuple(known.items())


def _value(
    variable: Mapping[str, Any],
    known: Mapping[str, str],
    facts: Mapping[str, str],
    sources: Sources,
) -> str | None:
    source = variable.get("valueFrom")
    if not source:
        return expanded(variable.get("value") or "", known)
    if "fieldRef" in source:
        path = source["fieldRef"]["fieldPath"]
        if path in facts:
            return facts[path]
    for kind in ("configMap", "secret"):
        reference = source.get(f"{kind}KeyRef")
        if reference:
            found = _texts(sources(kind, reference["name"]) or {}).get(reference["key"])
            if found is None and not reference.get("optional"):
                raise _missing(kind, f"{reference['name']}, key {reference['key']}")
            return found
    message = f"variable {variable['name']} takes its value from {source}, which the embedded cluster does not know"
    raise CannotLaunch(_CONFIGURATION, message)


def _texts(data: Mapping[str, bytes]) -> dict[str, str]:
    """Return data as variables can have it: any bytes, as the system hands them on, but no NUL."""
    return {key: os.fsdecode(value) for key, value in data.items()}


def _missing(kind: str, name: str) -> CannotLaunch:
    return CannotLaunch(_CONFIGURATION, f'{kind.lower()} "{name}" not found')


def _program(word: str, machine: Machine, image: str) -> str:
    if is_runtime_image(image) and _INTERPRETER.fullmatch(word.rpartition("/")[2]):
        return machine.interpreter
    found = machine.find(word)
    if found is None:
        message = f"images are not run here, and this machine has no {word} to run in place of {image}'s"
        raise CannotLaunch(_NOT_RUNNABLE, message)
    return found
