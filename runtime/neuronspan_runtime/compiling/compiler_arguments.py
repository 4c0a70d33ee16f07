"""The compiler's command line, as far as it decides anything here: the cores of a pipelined model, and casts.

Law: pure; an option that decides nothing here passes unread.
"""

import itertools
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


def values(arguments: Sequence[str], option: str) -> tuple[str, ...] | None:
    """Return what stands behind an option, up to the next one; None without it, and the last one wins.

    Several values may stand in one word, as in `["--fast-math", "fp32-cast-matmult no-fast-relayout"]`.
    """
    found: tuple[str, ...] | None = None
    for index, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name == option:
            following = itertools.takewhile(lambda each: not each.startswith("--"), arguments[index + 1 :])
            found = tuple(" ".join([value] if equals else following).split())
    return found


def pipeline_cores(arguments: Sequence[str]) -> int:
    """Return the cores one replica of the model needs; the last option wins. Raises TraceRefused for a bad number."""
    given = values(arguments, PIPELINE_OPTION)
    return 1 if given is None else _number(given[0] if given else "")


def _number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_PIPELINE_CORES:
        raise errors.TraceRefused(
            f"{PIPELINE_OPTION} {text or '(nothing)'} is not a number from 1 to {MOST_PIPELINE_CORES}"
        )
    return int(text)
