"""The compiler's command line, as far as it decides anything here: the cores of a pipelined model.

Law: pure; an option that decides nothing here passes unread.
"""

import shlex
from collections.abc import Sequence

from neuronspan_runtime import errors

PIPELINE_OPTION = "--neuroncore-pipeline-cores"
MOST_PIPELINE_CORES = 64
"""NeuronCore Pipeline reaches over at most 64 cores (16 Inferentia chips)."""


def words(compiler_args: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the arguments one by one, whichever way they were given."""
    if compiler_args is None:
        return ()
    return tuple(shlex.split(compiler_args) if isinstance(compiler_args, str) else map(str, compiler_args))


def pipeline_cores(arguments: Sequence[str]) -> int:
    """Return the cores one replica of the model needs; the last option wins. Raises TraceRefused for a bad number."""
    cores = 1
    for index, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name == PIPELINE_OPTION:
            following = arguments[index + 1] if index + 1 < len(arguments) else ""
            cores = _number(value if equals else following)
    return cores


def _number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_PIPELINE_CORES:
        raise errors.TraceRefused(
            f"{PIPELINE_OPTION} {text or '(nothing)'} is not a number from 1 to {MOST_PIPELINE_CORES}"
        )
    return int(text)
