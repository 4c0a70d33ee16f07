"""The pages hang together: links lead somewhere, every page can be reached, and lines can be read in an editor."""

import pathlib
import re

import pytest

from kits.documentation import pages

PAGES = pages.pages()
LONGEST = 140
"""Characters of a line of prose. Tables, code and what must not be broken may be longer."""

every_page = pytest.mark.parametrize("page", PAGES, ids=str)


@every_page
def test_link_leads_to_a_file_and_to_a_heading_of_it(page: pages.Page) -> None:
    broken = [
        link
        for link, path, anchor in page.links()
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in set(pages.Page(path).anchors()))
    ]
    assert broken == []


def test_every_page_can_be_reached_from_the_index() -> None:
    reached: set[pathlib.Path] = set()
    next_ones = [pages.INDEX]
    while next_ones:
        path = next_ones.pop()
        if path not in reached:
            reached.add(path)
            found = (each / "README.md" if each.is_dir() else each for _, each, _ in pages.Page(path).links())
            next_ones += [each for each in found if each.suffix == ".md" and each.exists()]
    assert [str(page) for page in PAGES if page.path not in reached] == []


def test_index_names_every_page_of_the_documentation() -> None:
    named = {path for _, path, _ in pages.Page(pages.INDEX).links()} | {pages.INDEX}
    assert [
        str(page) for page in PAGES if page.path.is_relative_to(pages.INDEX.parent) and page.path not in named
    ] == []


@every_page
def test_lines_of_prose_are_not_long(page: pages.Page) -> None:
    unbroken = re.compile(r" *([|<!]|\d*\. *|[-*] *)?(`[^`]*`|\S+)[.,;:]?")
    lines = [line for line in page.prose.splitlines() if not line.startswith(("|", "    ", "<!--", "!["))]
    assert [line for line in lines if len(line) > LONGEST and not unbroken.fullmatch(line)] == []


def test_what_breaks_a_page_is_seen(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(
        "# A `b`, c\n\n## C\n\n## C\n\n[one](#c-1) [two](gone.md) `[no](link)`\n\n```\n[no](link)\n# D\n```\n"
    )
    page = pages.Page(path)
    assert list(page.anchors()) == ["a-b-c", "c", "c-1"]
    assert list(page.links()) == [("#c-1", path, "c-1"), ("gone.md", tmp_path / "gone.md", "")]
