"""The list of mutants, read from ``listed/*.toml``, and what is wrong with an entry. Pure but for reading files."""

import dataclasses
import pathlib
import re
import tomllib
import types
from collections.abc import Iterator, Mapping

ROOT = pathlib.Path(__file__).parents[2]
LISTED = pathlib.Path(__file__).parent / "listed"
DIRECTORIES: Mapping[str, str] = types.MappingProxyType(
    {
        "neuronspan_operator": "operator",
        "neuronspan_deviceplugin": "deviceplugin",
        "neuronspan_embedded": "operator",
        "neuronspan": "deviceplugin",
        "neuronspan_runtime": "runtime",
    }
)
"""The directories of the checkout that have the packages in which there are mutants."""


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One deliberate bug. ``file`` is relative to ``package``, ``noticed_by`` are test IDs relative to ``tests``.

    A test ID may end in the case of a parametrized test, in brackets; without it any of its cases will do.
    """

    group: str
    says: str
    file: str
    before: str
    after: str
    noticed_by: tuple[str, ...]
    package: str = "neuronspan_operator"

    @property
    def directory(self) -> str:
        """The directory of the checkout that has the package."""
        return DIRECTORIES[self.package]

    @property
    def path(self) -> str:
        """The mutated file, relative to the directory."""
        return f"{self.package}/{self.file}"

    @property
    def native(self) -> bool:
        """Whether the file is C++, which has to be compiled."""
        return self.file.endswith((".cpp", ".h"))

    @property
    def tests(self) -> tuple[str, ...]:
        """The IDs of the tests that must notice, relative to the checkout."""
        return tuple(f"tests/{each}" for each in self.noticed_by)

    def source(self) -> str:
        """Return the file as it is."""
        return (ROOT / self.directory / self.path).read_text(encoding="utf-8")

    def mutated(self) -> str:
        """Return the file with the bug; raises ValueError when its text is not there exactly once."""
        source = self.source()
        if source.count(self.before) != 1:
            raise ValueError(f"{self.says}: {self.path} has {source.count(self.before)} times:\n{self.before}")
        return source.replace(self.before, self.after)

    def __str__(self) -> str:
        return f"{self.group}: {self.says}"


def read() -> list[Mutant]:
    """Return all mutants, by group, in the order they are listed."""
    return [
        Mutant(**{**entry, "group": path.stem.replace("_", " "), "noticed_by": tuple(entry["noticed_by"])})
        for path in sorted(LISTED.glob("*.toml"))
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]
    ]


def problems(mutant: Mutant) -> Iterator[str]:
    """Yield why this entry is no mutant, or not any more."""
    try:
        mutated = mutant.mutated()
    except (OSError, ValueError) as error:
        yield str(error)
        return
    if mutant.after == mutant.before:
        yield f"{mutant.says}: changes nothing"
    if not mutant.native:  # whether it is C++ the trial shows
        try:
            compile(mutated, mutant.path, "exec")
        except SyntaxError as error:
            yield f"{mutant.says}: no Python: {error}"
    if not mutant.noticed_by:
        yield f"{mutant.says}: names no test"
    for test in mutant.tests:
        file, _, name = test.partition("::")
        if not _defines(ROOT / file, *name.removesuffix("]").split("[", 1)):
            yield f"{mutant.says}: there is no test {test}"


def _defines(path: pathlib.Path, name: str, case: str = "") -> bool:
    """Whether a file has this test, and the parts of which pytest makes the name of this case of it."""
    text = path.read_text("utf-8") if path.is_file() else ""
    found = re.search(rf"^(async )?def {re.escape(name)}\(", text, re.MULTILINE)
    return found is not None and all(part in text for part in case.split("-"))
