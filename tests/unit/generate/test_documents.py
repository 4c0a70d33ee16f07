"""What is committed is what the domain says: the lowest tier of `make verify`."""

import pathlib
import shutil

import pytest

from generate import __main__ as command
from generate import documents, regions

CHECKOUT = pathlib.Path(__file__).parents[3]
FILES = [*documents.WHOLE, *documents.PARTS]


@pytest.fixture
def checkout(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, tmp_path / name)
    return tmp_path


def test_generated_parts_are_up_to_date() -> None:
    stale = [str(path.relative_to(CHECKOUT)) for path in documents.stale(CHECKOUT)]
    assert stale == [], "run `make generate`"


@pytest.mark.parametrize("name", FILES, ids=str)
def test_edit_of_a_generated_part_is_seen_and_undone(
    checkout: pathlib.Path, name: pathlib.PurePath, capsys: pytest.CaptureFixture[str]
) -> None:
    path = checkout / name
    good = path.read_text()
    path.write_text(_edited(good))
    assert command.main(["--check", "--checkout", str(checkout)]) == 1
    assert path.read_text() != good
    assert command.main(["--checkout", str(checkout)]) == 0
    assert path.read_text() == good
    assert command.main(["--check", "--checkout", str(checkout)]) == 0
    assert capsys.readouterr().out == f"{name}: not up to date\n{name}: written\n"


def _edited(text: str) -> str:
    """Change the last generated line: that before the end of a block, a marked one, or that of a whole file."""
    lines = text.splitlines()
    marked = [number for number, line in enumerate(lines) if "end generated" in line or " # generated: " in line]
    last = marked[-1] if marked else len(lines) - 1
    at = last - 1 if "end generated" in lines[last] else last
    lines[at] = lines[at].replace(" #", ", edited #") if " # generated: " in lines[at] else "edited"
    return "\n".join([*lines, ""])


def test_file_that_is_missing_is_written(checkout: pathlib.Path) -> None:
    for name in documents.WHOLE:
        (checkout / name).unlink()
    assert list(documents.stale(checkout)) == [checkout / name for name in documents.WHOLE]


def test_file_whose_markers_are_gone_is_named(checkout: pathlib.Path) -> None:
    (checkout / "README.md").write_text("# neuronspan\n")
    with pytest.raises(regions.MarkerError, match=r"^README\.md: nothing is marked 'generated: annotations'"):
        documents.stale(checkout)
