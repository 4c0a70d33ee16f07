"""The programs of a folder, what each says of itself, and how one is run."""

import ast
import dataclasses
import pathlib
import re
import runpy
import warnings
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parents[2] / "programs"
_DOCSTRING = re.compile(r"Source: (?P<source>.+)\.\nShows: (?P<shows>.+)\.")


@dataclasses.dataclass(frozen=True)
class Program:
    """One program; its docstring names the shape that it has and what it shows."""

    path: pathlib.Path
    source: str
    shows: str
    cores: list[str]
    """Where its models are at the end, node numbering: what `main` returns."""

    @property
    def name(self) -> str:
        """Its folder and name."""
        return f"{self.path.parent.name}/{self.path.stem}"


def programs(folder: str = "*") -> list[Program]:
    """Return the programs of a folder, or of all."""
    return list(_read(folder))


def _read(folder: str) -> Iterator[Program]:
    for path in sorted(ROOT.glob(f"{folder}/*.py")):
        if path.stem.startswith("test_"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        said = _DOCSTRING.fullmatch(ast.get_docstring(tree) or "")
        assert said is not None, f"{path.name} begins with 'Source: ….' and 'Shows: ….'"
        yield Program(path, said["source"], said["shows"], _cores(tree))


def _cores(tree: ast.Module) -> list[str]:
    """Return what stands behind `CORES: list[str] = `."""
    (value,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "CORES"
    )
    assert value is not None, "CORES has a value"
    found: list[str] = ast.literal_eval(value)
    return found


def run(path: pathlib.Path, directory: pathlib.Path) -> list[str]:
    """Run a program in this process, with a directory for its files; return what its `main` returns."""
    warnings.simplefilter("ignore")  # programs do not make errors of warnings
    found: list[str] = runpy.run_path(str(path), run_name="__main__")["main"](directory)
    return found


def table() -> str:
    """Return the table of all programs, as README has it."""
    rows = [f"| `{one.name}` | {one.source} | {one.shows} |" for one in programs()]
    return "\n".join(["| Program | In the shape of | Shows |", "|---|---|---|", *rows])
