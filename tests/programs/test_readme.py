"""README lists every program, and each says of itself what the list says."""

from kits.programs import corpus


def test_readme_has_the_table_of_all_programs() -> None:
    assert corpus.table() in (corpus.ROOT / "README.md").read_text(encoding="utf-8")


def test_there_are_enough_programs_to_mean_something() -> None:
    found = corpus.programs()
    assert len({program.name for program in found}) == len(found) >= 40
    assert len({program.shows for program in found}) == len(found)
