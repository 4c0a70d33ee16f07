"""Which fields a manifest may have, and of which types: by the Kubernetes client's models of the built-in kinds. Pure.

kube-apiserver decodes into the types that these models are generated from. Quantities are numbers or text there, and
text in the models.
"""

import base64
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kubernetes.aio.client import models

from neuronspan_embedded.api_server.rules import kinds, refusals

_GENERIC = re.compile(r"(List|Dict)\[(?:str, )?(.*)\]")
_METADATA = "V1ObjectMeta"
_QUANTITIES = frozenset(
    {"capacity", "allocatable", "allocatedResources", "limits", "requests", "overhead", "hard", "used"}
)
_AMOUNTS = frozenset({"default", "divisor", "max", "maximumVolumeSize", "min", "hard", "used", "sizeLimit"})


def _is_base64(value: Any) -> bool:
    try:
        return isinstance(value, str) and base64.b64decode(value, validate=True) is not None
    except ValueError:
        return False


_OTHERWISE: Mapping[str, str] = {"Event": "CoreV1Event"}
"""The names of models that are not V1 and the kind."""
_MODELS: Mapping[str, str] = {
    kind.plural: _OTHERWISE.get(kind.name, f"V1{kind.name}") for kind in kinds.BUILT_IN if kind.plural != kinds.CRD
}
_PLAIN: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("text", lambda value: isinstance(value, str)),
    "bytes": ("text in base64", _is_base64),
    "datetime": ("text", lambda value: isinstance(value, str)),
    "int": ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "float": ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
}
_WORDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "text"),
    (list, "a list"),
    (Mapping, "a map"),
)
_UNKNOWN = "unknown field"


def refuse_wrong(kind: kinds.Kind, manifest: Any, *, strict: bool) -> None:
    """Refuse a manifest whose fields are of other types than the kind's; if ``strict``, one with unknown fields too."""
    problems = list(_problems(kind, manifest))
    wrong = [each for each in problems if not each.startswith(_UNKNOWN)]
    if wrong:
        told = f"{kind.name} in version {kind.api_version!r} cannot be handled as a {kind.name}"
        raise refusals.bad_request(f"{told}: {'; '.join(wrong)}")
    if problems and strict:
        raise refusals.bad_request(f"strict decoding error: {', '.join(problems)}")


def _problems(kind: kinds.Kind, manifest: Any) -> Iterator[str]:
    if not isinstance(manifest, Mapping):
        yield f"it is {_word(manifest)}, and has to be a map"
        return
    if kind.is_custom or kind.plural not in _MODELS:
        yield from _of(_METADATA, manifest.get("metadata"), "metadata")
    else:
        yield from _of(_MODELS[kind.plural], manifest, "")


def _of(declared: str, value: Any, path: str) -> Iterator[str]:
    """Yield what is wrong with a value that has to be of a declared type; null is as good as left out."""
    if value is None or declared == "object":
        return
    if declared in _PLAIN:
        yield from _of_plain(declared, value, path)
    elif found := _GENERIC.fullmatch(declared):
        yield from (_of_list if found[1] == "List" else _of_map)(found[2], value, path)
    elif not isinstance(value, Mapping):
        yield _wrong(value, "a map", path)
    else:
        known = _fields(declared)
        for key, each in value.items():
            inner = f"{path}.{key}" if path else str(key)
            if key in known:
                yield from _of(known[key], each, inner)
            else:
                yield f'{_UNKNOWN} "{inner}"'


def _of_plain(declared: str, value: Any, path: str) -> Iterator[str]:
    word, fits = _PLAIN[declared]
    steps = path.split(".")
    is_amount = not (_QUANTITIES | _AMOUNTS).isdisjoint(steps) and "metadata" not in steps and _PLAIN["float"][1](value)
    if not (fits(value) or (declared == "str" and is_amount)):
        yield _wrong(value, word, path)


def _of_list(declared: str, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield _wrong(value, "a list", path)
        return
    for index, each in enumerate(value):
        inner = f"{path}[{index}]"
        yield from (_wrong(each, "left out", inner),) if each is None else _of(declared, each, inner)


def _of_map(declared: str, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield _wrong(value, "a map", path)
        return
    for key, each in value.items():
        yield from _of(declared, each, f"{path}.{key}")


def _wrong(value: Any, wanted: str, path: str) -> str:
    return f"{path} is {_word(value)}, and has to be {wanted}"


def _word(value: Any) -> str:
    return next((word for kind, word in _WORDS if isinstance(value, kind)), "null")


@functools.cache
def _fields(model: str) -> Mapping[str, str]:
    """Return the types of a model's fields by their names in manifests."""
    found = getattr(models, model)
    return {found.attribute_map[attribute]: declared for attribute, declared in found.openapi_types.items()}


for _name in _MODELS.values():  # the models are loaded when they are asked for: now, not while a request waits
    _fields(_name)
