"""The programs of a folder, what each says of itself, and how one is run."""

import ast
import dataclasses
import pathlib
import re
import runpy
import sys
import warnings
from collections.abc import Iterator, Mapping

ROOT = pathlib.Path(__file__).parents[2] / "programs"
IN_THE_IMAGE = frozenset({"kits", "neuronspan_runtime", "numpy", "pytest", "torch", "torch_neuron", "torch_neuronx"})
"""What a program may import beside the standard library and still run in the runtime's image."""
_RIGHT = "the CPU's bits, on its cores"
_DOCSTRING = re.compile(r"Source: (?P<source>.+)\.\nShows: (?P<shows>.+)\.")


@dataclasses.dataclass(frozen=True)
class Program:
    """One program; its docstring names the shape that it has and what it shows."""

    path: pathlib.Path
    source: str
    shows: str
    cores: list[str]
    """Where its models are at the end, node numbering: what `main` returns."""
    foreign: tuple[str, ...] = ()
    """Packages of others that it needs and the runtime's image has not."""

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
        yield Program(path, said["source"], said["shows"], _cores(tree), _foreign(tree))


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


def _foreign(tree: ast.Module) -> tuple[str, ...]:
    """Return the packages that are imported anywhere in a program and that the image has not, in order."""
    names = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    return tuple(sorted(names - IN_THE_IMAGE - sys.stdlib_module_names))


def left_out_of_the_image() -> Mapping[str, str]:
    """Return the programs that cannot run in the runtime's image, by name, each with the reason."""
    return {one.name: f"needs {', '.join(one.foreign)}, which the image has not" for one in programs() if one.foreign}


def run(path: pathlib.Path, directory: pathlib.Path) -> list[str]:
    """Run a program in this process, with a directory for its files; return what its `main` returns."""
    warnings.simplefilter("ignore")  # programs do not make errors of warnings
    found: list[str] = runpy.run_path(str(path), run_name="__main__")["main"](directory)
    return found


def table() -> str:
    """Return the table of all programs, as README has it."""
    rows = [f"| `{one.name}` | {one.source} | {one.shows} |" for one in programs()]
    return "\n".join(["| Program | In the shape of | Shows |", "|---|---|---|", *rows])


def results() -> str:
    """Return the table of what came of each program with either torch, as the documentation has it.

    A program of which something else came fails its test: here, or in `tests/image`.
    """
    without = left_out_of_the_image()
    rows = [f"| `{one.name}` | {one.shows} | {_RIGHT} | {without.get(one.name, _RIGHT)} |" for one in programs()]
    return "\n".join(["| Program | Shows | torch 2.13 | torch 2.6, in the image |", "|---|---|---|---|", *rows])
