"""Every annotation that the product knows on a pod, declared once.

The operator reads them, the admission policies check them and the documentation lists them; `make generate` writes the
chart's and the documentation's part from here, so a new annotation is declared in ``OF_USERS`` and nowhere else.
"""

import dataclasses
import enum
from typing import Final

from neuronspan import grants, names, placement

_COUNT: Final = "[1-9][0-9]{0,8}"
_CORE: Final = "(0|[1-9][0-9]{0,4})"
_GROUP: Final = "([1-9][0-9]{0,4}x)?[1-9][0-9]{0,4}"


class Effect(enum.StrEnum):
    """How far an annotation reaches."""

    PLACES = "which cores"  # it decides when, where or how many cores are granted, and the container cannot see it
    REACHES_CONTAINER = "also the container"  # the container's environment differs too, so the grant must carry it


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """One of the values that an annotation can have."""

    value: str
    meaning: str  # as the sentence says it that refuses another value; no apostrophe: it is quoted in CEL


@dataclasses.dataclass(frozen=True, slots=True)
class Annotation:
    """One annotation that a user may write; its value is one of ``choices`` or matches ``pattern``."""

    name: str
    meaning: str  # a Markdown phrase, for the tables of the documentation
    effect: Effect = Effect.PLACES
    asks: str = ""  # the resource that its value asks for; "" when it only says how cores are given
    per_container: str = ""  # prefix of the form that names a container, "" when there is none
    choices: tuple[Choice, ...] = ()
    default: str = ""  # the choice that holds without the annotation, "" when that depends on the node's pool
    pattern: str = ""  # of the whole value, in the syntax that Python and CEL (RE2) share
    example: str = ""  # of a value with a pattern

    @property
    def keys(self) -> tuple[str, ...]:
        """What a user may write: the name, and the per-container form with a placeholder."""
        return (self.name, f"{self.per_container}<container>") if self.per_container else (self.name,)

    @property
    def way_out(self) -> str:
        """What to write instead of a value that is none of the choices."""
        return "write " + " or ".join(f'"{choice.value}" ({choice.meaning})' for choice in self.choices)


OF_USERS: Final = (
    Annotation(
        names.CORES_ANNOTATION,
        "contiguous NeuronCores for one container of the pod, or for the one that is named, init containers and "
        "sidecars too",
        asks=names.CORE_RESOURCE,
        per_container=names.CONTAINER_CORES_PREFIX,
        pattern=_COUNT,
        example="4",
    ),
    Annotation(
        names.DEVICES_ANNOTATION,
        "whole Neuron devices, in the same two forms",
        asks=names.DEVICE_RESOURCE,
        per_container=names.CONTAINER_DEVICES_PREFIX,
        pattern=_COUNT,
        example="2",
    ),
    Annotation(
        names.CONTAINER_ANNOTATION,
        "the container that the annotations without a container's name mean; admission writes the first one when the "
        "pod is created, so that containers which others insert later change nothing",
        pattern="[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
        example="app",
    ),
    Annotation(
        names.VISIBLE_CORES_ANNOTATION,
        "these very cores, on any node where they are free",
        asks=names.CORE_RESOURCE,
        pattern=f"{_CORE}(-{_CORE})?",
        example="4-7",
    ),
    Annotation(
        names.GROUP_SIZES_ANNOTATION,
        f"also sets `{names.GROUP_SIZES_ENV}`; cores = the sum",
        effect=Effect.REACHES_CONTAINER,
        asks=names.CORE_RESOURCE,
        pattern=f"{_GROUP}(,{_GROUP})*",
        example="3,4,1",
    ),
    Annotation(
        names.ENV_ANNOTATION,
        f"the container gets `{names.VISIBLE_CORES_ENV}=4-7`, or `{names.NUM_CORES_ENV}=4`",
        effect=Effect.REACHES_CONTAINER,
        choices=(
            Choice(grants.EnvMode.VISIBLE, f"the container gets {names.VISIBLE_CORES_ENV}"),
            Choice(grants.EnvMode.COUNT, f"it gets {names.NUM_CORES_ENV}"),
        ),
        default=grants.EnvMode.VISIBLE,
    ),
    Annotation(
        names.ALIGN_ANNOTATION,
        "cores anywhere, or cores that start on a device boundary, or there and on devices that are connected; without "
        "it, as the node's pool says",
        choices=(
            Choice(placement.Alignment.NONE, "cores anywhere"),
            Choice(placement.Alignment.DEVICE, "cores that start on a device boundary"),
            Choice(placement.Alignment.LINK, "cores that start there, on devices that are connected"),
        ),
    ),
    Annotation(
        names.POD_GROUP_ANNOTATION,
        "the pods of one name, in one namespace, get their cores together or not at all",
        pattern="[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?",
        example="training",
    ),
    Annotation(
        names.POD_GROUP_SIZE_ANNOTATION,
        "how many pods the group has; none of them starts before all have cores",
        pattern="[1-9][0-9]{0,3}",
        example="4",
    ),
)
"""What users write, in the order in which sentences and tables list them."""

OF_OPERATOR: Final = (names.GRANT_ANNOTATION,)
"""What the operator alone writes; a user's copy of one is refused."""


def is_ours(key: str) -> bool:
    """Whether an annotation or a label has a name of ours, known or not."""
    prefix, _, _ = key.partition("/")
    return prefix == names.GROUP or prefix.endswith(f".{names.GROUP}")


def asking(key: str) -> Annotation | None:
    """Return the annotation that this name is one of, pod-wide or of a container; None when it asks for nothing."""
    return next((each for each in OF_USERS if each.asks and _is_form_of(each, key)), None)


def _is_form_of(each: Annotation, key: str) -> bool:
    return key == each.name or bool(each.per_container and key.startswith(each.per_container))
