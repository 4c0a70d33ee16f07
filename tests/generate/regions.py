"""The generated parts of a file that is otherwise written by hand.

A block is what stands between two marker lines, in whatever comment the file's language has:

    # begin generated: instance-types ...
    # end generated

A line is marked at its end: ``enum: [none, device] # generated: alignment``. Blocks and lines keep their indentation.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

_BEGIN = re.compile(r"begin generated: ([a-z-]+)")
_END = "end generated"
_LINE = re.compile(r"(?P<indent> *)(?P<content>\S.*) # generated: (?P<name>[a-z-]+)")


class MarkerError(Exception):
    """A file's markers do not fit what is generated for it."""


def fill(text: str, contents: Mapping[str, Sequence[str]]) -> str:
    """Return the text with every marked part replaced by the lines of its name.

    Raises MarkerError when a part has no lines, lines have no part, or a block does not end.
    """
    unused = set(contents)
    filled: list[str] = []
    lines = iter(text.splitlines())
    for line in lines:
        block, single = _BEGIN.search(line), _LINE.fullmatch(line)
        if block:
            filled += [line, *_indented(line, _lines(contents, block[1])), _end(lines, block[1])]
            unused.discard(block[1])
        elif single:
            name = single["name"]
            filled += [f"{each} # generated: {name}" for each in _indented(line, _lines(contents, name))]
            unused.discard(name)
        else:
            filled.append(line)
    if unused:
        raise MarkerError(
            f"nothing is marked 'generated: {min(unused)}': mark a line or a block, or generate no such part"
        )
    return "\n".join([*filled, ""])


def _lines(contents: Mapping[str, Sequence[str]], name: str) -> Sequence[str]:
    if name not in contents:
        raise MarkerError(
            f"'generated: {name}' is marked, but nothing of that name is generated: use {', '.join(contents)}"
        )
    return contents[name]


def _indented(marker: str, lines: Sequence[str]) -> list[str]:
    indent = " " * (len(marker) - len(marker.lstrip(" ")))
    return [f"{indent}{line}".rstrip() for line in lines]


def _end(lines: Iterator[str], name: str) -> str:
    """Skip what stands in the block, and return its last marker."""
    for line in lines:
        if _BEGIN.search(line):
            break
        if _END in line:
            return line
    raise MarkerError(f"the block 'generated: {name}' does not end: write a comment '{_END}' below it")
