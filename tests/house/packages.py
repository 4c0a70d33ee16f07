"""The packages as modules, folders and imports between them."""

import dataclasses
import functools
import itertools
import pathlib
import re
import tomllib
from collections.abc import Iterator

import grimp

ROOT = pathlib.Path(__file__).parents[2]
PACKAGES = {
    "neuronspan": ROOT / "deviceplugin",
    "neuronspan_agent": ROOT / "deviceplugin",
    "neuronspan_deviceplugin": ROOT / "deviceplugin",
    "neuronspan_operator": ROOT / "operator",
    "neuronspan_runtime": ROOT / "runtime",
}
"""Each package of more than a handful of modules, and the directory it lies in."""
_DOORS = re.compile(r"^Doors?: (.+?)\.$", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True)
class Package:
    """One package: its modules (without the folders' ``__init__``), and which imports which."""

    name: str
    modules: frozenset[str]
    folders: frozenset[str]
    imports: frozenset[tuple[str, str]]

    def modules_of(self, folder: str) -> list[str]:
        """Return the names of the modules directly in this folder, without the folder."""
        return sorted(each.rpartition(".")[2] for each in self.modules if folder_of(each) == folder)

    def streets(self) -> set[tuple[str, str]]:
        """Return the pairs of different folders between which there is an import, top modules counting alone."""
        return {pair for pair in map(self._places, self.imports) if pair[0] != pair[1]}

    def importers(self, module: str) -> list[str]:
        """Return the modules that import this one."""
        return sorted(importer for importer, imported in self.imports if imported == module)

    def lonely(self) -> Iterator[tuple[str, str]]:
        """Yield each module with one importer in all, and that one; not those that lie beside or below their importer.

        Nor the doors of a folder: to be called from outside is what they are for.
        """
        for module in sorted(self.modules - {f"{self.name}.__main__"}):
            folder, _, own_name = module.rpartition(".")
            importers = self.importers(module)
            if len(importers) != 1 or own_name in doors(folder):
                continue
            user = folder_of(importers[0])
            if not (_is_in(folder, user) or _is_in(user, folder)):
                yield module, importers[0]

    def _places(self, pair: tuple[str, str]) -> tuple[str, str]:
        importer, imported = (each if folder_of(each) == self.name else folder_of(each) for each in pair)
        return importer, imported


@functools.cache
def read(name: str) -> Package:
    """Return a package by name, generated modules left out."""
    graph = grimp.build_graph(name, cache_dir=None)
    found = {each for each in graph.modules if not each.endswith(("_pb2", "_pb2_grpc"))}
    folders = frozenset(each for each in found if _directory(each).is_dir())
    modules = frozenset(found - folders)
    imports = {(module, to) for module in modules for to in graph.find_modules_directly_imported_by(module)}
    return Package(name, modules, folders, frozenset(pair for pair in imports if pair[1] in modules))


def folder_of(module: str) -> str:
    """Return the package that a module lies in."""
    return module.rpartition(".")[0]


def law(folder: str) -> str:
    """Return what a folder's ``__init__`` says of it."""
    text = (_directory(folder) / "__init__.py").read_text(encoding="utf-8")
    return text.split('"""')[1]


def doors(folder: str) -> set[str]:
    """Return the modules that the folder's ``__init__`` calls its doors: one user outside is what they are made for."""
    named = _DOORS.search(law(folder))
    return set(re.findall(r"``(\w+)``", named[1])) if named else set()


def upward(package: Package) -> list[tuple[str, str]]:
    """Return the imports that go against the order that pyproject.toml gives the package's folders."""
    order = _order(package.name)
    return [
        (importer, imported)
        for importer, imported in sorted(package.imports)
        if (above := _child(imported, package.name)) != (below := _child(importer, package.name))
        and order[above] < order[below]
    ]


def _order(name: str) -> dict[str, int]:
    """Return the floor of each direct child of the package, the highest one first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (each["layers"] for each in contracts if each.get("containers") == [name])
    floors = ([each.strip() for each in re.split("[|:]", layer)] for layer in layers)
    return dict(itertools.chain.from_iterable(zip(names, itertools.repeat(at)) for at, names in enumerate(floors)))


def _child(module: str, package: str) -> str:
    return module.removeprefix(f"{package}.").split(".")[0]


def _is_in(folder: str, outer: str) -> bool:
    """Whether the folder is the outer one or a part of it; a package as a whole is no folder that its parts lie in."""
    return folder == outer or ("." in outer and folder.startswith(f"{outer}."))


def _directory(package: str) -> pathlib.Path:
    return PACKAGES[package.split(".", maxsplit=1)[0]].joinpath(*package.split("."))
