import pytest

from generate import regions

TEXT = """\
top: 1
  list: # kept
    # begin generated: names, by hand never
    - old
    # end generated
  enum: [old] # generated: enum
bottom: 2
"""


def test_fill_replaces_blocks_and_lines_and_nothing_else() -> None:
    assert regions.fill(TEXT, {"names": ["- a", "- b"], "enum": ["enum: [a, b]"]}) == (
        """\
top: 1
  list: # kept
    # begin generated: names, by hand never
    - a
    - b
    # end generated
  enum: [a, b] # generated: enum
bottom: 2
"""
    )


def test_fill_changes_nothing_the_second_time() -> None:
    contents = {"names": ["- a", "", "  - b"], "enum": ["enum: [a]"]}
    once = regions.fill(TEXT, contents)
    assert regions.fill(once, contents) == once


def test_fill_knows_the_markers_of_every_language() -> None:
    markdown = "<!-- begin generated: table, by `make generate` -->\n<!-- end generated -->\n"
    json = '  "below": {"$comment": "begin generated: table"},\n  "above": {"$comment": "end generated"},\n'
    assert regions.fill(markdown, {"table": ["| a |"]}).splitlines()[1] == "| a |"
    assert regions.fill(json, {"table": ['"a": 1,']}).splitlines()[1] == '  "a": 1,'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(TEXT.replace("names", "nams"), "'generated: nams' is marked, but", id="unknown-block"),
        pytest.param(
            TEXT.replace("generated: enum", "generated: enums"), "'generated: enums' is marked", id="unknown-line"
        ),
        pytest.param(TEXT.replace("    # end generated\n", ""), "'generated: names' does not end", id="no-end"),
        pytest.param(TEXT.replace("    - old\n", "# begin generated: names\n"), "does not end", id="block-in-block"),
        pytest.param("enum: [] # generated: enum\n", "nothing is marked 'generated: names'", id="no-block"),
    ],
)
def test_fill_refuses_markers_that_do_not_fit(text: str, says: str) -> None:
    with pytest.raises(regions.MarkerError, match=says):
        regions.fill(text, {"names": [], "enum": ["enum: []"]})
