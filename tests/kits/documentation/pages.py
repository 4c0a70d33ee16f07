"""The pages of the checkout as Markdown: what they say outside of code blocks, their headings, their links."""

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterator, Sequence

CHECKOUT = pathlib.Path(__file__).parents[3]
INDEX = CHECKOUT / "docs" / "index.md"
_MADE = {"build", "dist", "__pycache__"}
"""Folders of what tools made, beside those whose names begin with a dot."""
_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
_DRAWING = "```mermaid"
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^()\s]+)\)")


@dataclasses.dataclass(frozen=True)
class Page:
    """One page."""

    path: pathlib.Path

    def __str__(self) -> str:
        return str(self.path.relative_to(CHECKOUT))

    @property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """All but the blocks of code."""
        return _FENCE.sub("", self.text)

    @property
    def code(self) -> Sequence[str]:
        """What stands as code in it: blocks but for drawings, and spans of a line."""
        blocks = (each.group() for each in _FENCE.finditer(self.text))
        return [each for each in blocks if not each.startswith(_DRAWING)] + _CODE.findall(self.prose)

    def anchors(self) -> Iterator[str]:
        """Yield what links to a part of the page call it, as GitHub does."""
        seen: dict[str, int] = {}
        for heading in re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE):
            words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
            name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
            count = seen.get(name, 0)
            seen[name] = count + 1
            yield f"{name}-{count}" if count else name

    def links(self) -> Iterator[tuple[str, pathlib.Path, str]]:
        """Yield each link to something of the checkout: as it stands, its file or folder, its anchor."""
        for link in _LINK.findall(_CODE.sub("", self.prose)):
            if "://" not in link:
                name, _, anchor = link.partition("#")
                yield link, (self.path.parent / name).resolve() if name else self.path, anchor


def pages() -> Sequence[Page]:
    """Return all pages of the checkout, by path."""
    return [Page(path) for path in sources(".md")]


def sources(*endings: str) -> Sequence[pathlib.Path]:
    """Return the files of the checkout whose names end so, by path; without what tools made."""
    found = (pathlib.Path(folder) / name for folder, _, names in _walk() for name in names)
    return sorted(path for path in found if path.name.endswith(endings))


def _walk() -> Iterator[tuple[str, list[str], list[str]]]:
    for folder, inside, names in os.walk(CHECKOUT):
        inside[:] = [each for each in inside if each not in _MADE and not each.startswith(".")]  # where os.walk goes on
        yield folder, inside, names
