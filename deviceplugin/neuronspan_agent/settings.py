"""An agent's settings: declared once, as fields of a frozen dataclass; each has a flag and a twin in the environment.

Law: a flag beats its variable, a variable beats the default, and all problems are reported at once. The variable of
``--lease-seconds`` is NEURONSPAN_LEASE_SECONDS.
"""

import argparse
import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import neuronspan
from neuronspan_agent import errors

T = TypeVar("T")
Values = Mapping[str, Any]

_PREFIX = "NEURONSPAN_"
_MOST_PORT = 65535
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """How the text of a setting is read (raises ValueError), and what is expected, in words."""

    read: Callable[[str], Any]
    expected: str


def number(read: Callable[[str], float], least: float, most: float, unit: str) -> Kind:
    """Return the kind of a number within limits; ``read`` is int or float."""
    return _within(read, least, most, f"a number of {unit}")


def _within(read: Callable[[str], float], least: float, most: float, what: str) -> Kind:
    def parse(text: str) -> float:
        value = read(text)
        if not least <= value <= most:  # NaN is within no limits
            raise ValueError
        return value

    return Kind(parse, f"{what} from {least} to {most}")


def choice(*values: str) -> Kind:
    """Return the kind of a word out of a few."""
    return Kind(lambda text: values[values.index(text)], " or ".join(values))


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError
    return text


def _absolute(text: str) -> pathlib.Path:
    path = pathlib.Path(text)
    if not path.is_absolute():
        raise ValueError
    return path


def _switch(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError
    return _BOOLEANS[text.lower()]


TEXT = Kind(str, "a text")
NAME = Kind(_not_empty, "a name")
PATH = Kind(_absolute, "an absolute path")
SWITCH = Kind(_switch, "true or false")
PORT = _within(int, 0, _MOST_PORT, "a port")


def declared(kind: Kind, meaning: str, *, default: Any = dataclasses.MISSING) -> Any:
    """Return the dataclass field of a setting; without a default it has to be given."""
    return dataclasses.field(default=default, metadata={"kind": kind, "meaning": meaning})


def load(
    form: type[T],
    program: str,
    what: str,
    *,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    contradictions: Callable[[Values], Iterable[str]],
) -> T:
    """Read flags and environment into ``form``; raises InvalidSettings with every problem.

    ``what`` is what --help says of the program. ``contradictions`` gets all values, defaults included, without those
    that could not be read, and names what does not fit together.
    """
    flags, unknown = _parser(form, program, what).parse_known_args(list(arguments))
    problems = [f"{each}: there is no such flag, see --help" for each in unknown]
    values: dict[str, Any] = {}
    for field in _fields(form):
        source, text = _text_of(field.name, vars(flags)[field.name], environment)
        if text is not None:
            problems += _read(field, source, text, values)
        elif field.default is not dataclasses.MISSING:
            values[field.name] = field.default
        else:
            meaning = field.metadata["meaning"]
            problems.append(f"{flag(field.name)} (or {variable(field.name)}) is not set: {meaning}")
    problems += contradictions(values)
    if problems:
        raise errors.InvalidSettings(problems)
    return form(**values)


def from_process() -> Mapping[str, str]:
    """Return the environment of this process."""
    return os.environ  # noqa: TID251 - this is the one place


def effective(settings: Any) -> dict[str, str]:
    """Return every setting as text, to be logged at the start."""
    return {field.name: str(getattr(settings, field.name)) for field in _fields(type(settings))}


def flag(name: str) -> str:
    """Return the command line flag of a setting."""
    return f"--{name.replace('_', '-')}"


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"{_PREFIX}{name.upper()}"


def _fields(form: Any) -> tuple["dataclasses.Field[Any]", ...]:
    return dataclasses.fields(form)


def _read(field: "dataclasses.Field[Any]", source: str, text: str, values: dict[str, Any]) -> list[str]:
    """Put the value where it belongs; returns the problem when it is none."""
    kind: Kind = field.metadata["kind"]
    try:
        values[field.name] = kind.read(text)
    except ValueError:
        return [f"{source} is {text!r}: give {kind.expected}"]
    return []


def _text_of(name: str, given: str | None, environment: Mapping[str, str]) -> tuple[str, str | None]:
    if given is not None:
        return flag(name), given
    return variable(name), environment.get(variable(name))


def _parser(form: Any, program: str, what: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description=what, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"%(prog)s {neuronspan.__version__}")
    for field in _fields(form):
        text = f"{field.metadata['meaning']} ({field.metadata['kind'].expected}; {_fallback(field)}; "
        text += f"{variable(field.name)})"
        parser.add_argument(flag(field.name), dest=field.name, metavar="VALUE", help=text.replace("%", "%%"))
    return parser


def _fallback(field: "dataclasses.Field[Any]") -> str:
    if field.default is dataclasses.MISSING:
        return "required"
    return f"default: {'empty' if field.default == '' else field.default}"
