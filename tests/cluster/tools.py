"""The cluster's programs, built from Go modules into the cache, one directory per module and one that joins them.

Law: a directory with its final name is complete. Two builds at once wait for each other; an interrupted one leaves
nothing but what Go itself has cached. A program that was built comes before the machine's own, so that tests, which
build them all, always run with the versions of this checkout.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from cluster import console, disk, errors, go_modules, go_toolchain, keys, layout, locking, own_programs, process

BUILD_SECONDS = 3600
LIST_SECONDS = 900
BYTES_NEEDED = 6_000_000_000
"""Go's module and build caches after a first build, and the programs: measured 5.1 GB."""


def bin_directory() -> Path:
    """Where the programs of this checkout's versions are, or will be."""
    key = keys.key_of({module.name: module.key for module in go_modules.MODULES})
    return layout.cache().tools / key / "bin"


def program(name: str) -> Path:
    """The path of one program: built, or the machine's own; ClusterError says how to get it."""
    found = find(name)
    if not found:
        raise errors.ClusterError(f"{name} is not built yet: run `make tools` (about 15 minutes the first time)")
    return found


def find(name: str) -> Path | None:
    """The path of one program: built, or from the node image, or the machine's own; None when there is none yet."""
    for built in (module_directory(module_of(name)) / name, from_node_image(name)):
        if built.is_file():
            return built
    return own_programs.find(name)


def module_of(name: str) -> go_modules.GoModule:
    """The module that a program is built from; LookupError when it is none of ours."""
    found = next((module for module in go_modules.MODULES if name in module.programs), None)
    if not found:
        raise LookupError(f"no module builds {name}")
    return found


def from_node_image(name: str) -> Path:
    """Where a program that was taken out of a node image is, or will be."""
    return layout.cache().tools / f"node-{go_modules.kubernetes_version()}" / name


def need(*names: str) -> None:
    """Make sure that these programs are there, and build only the modules of those that are not."""
    if not _lacking(names):
        return
    with locking.exclusive(layout.cache().lock("tools")):
        _build_modules(_lacking(names))


def _lacking(names: Sequence[str]) -> list[go_modules.GoModule]:
    lacking = {module_of(name).name for name in names if find(name) is None}
    return [module for module in go_modules.MODULES if module.name in lacking]


def build() -> Path:
    """Make sure that every program exists; returns their directory."""
    final = bin_directory()
    if final.is_dir():
        console.say(f"tools: nothing to do, {final}")
        return final
    cache = layout.cache()
    with locking.exclusive(cache.lock("tools")):
        if not final.is_dir():
            _build_all(final)
    return final


def ensure(module: go_modules.GoModule) -> Path:
    """Make sure that one module's programs exist; returns their directory."""
    final = module_directory(module)
    with locking.exclusive(layout.cache().lock(f"tools-{module.name}")):
        if not final.is_dir():
            _build_module(module, go_toolchain.require(module.directory))
    return final


def _build_all(final: Path) -> None:
    _build_modules([module for module in go_modules.MODULES if not module_directory(module).is_dir()])
    with locking.new_directory(final.parent) as draft:
        joined = draft / "bin"
        joined.mkdir()
        for module in go_modules.MODULES:
            for name in module.programs:
                os.link(module_directory(module) / name, joined / name)
    _point_current(final.parent)


def _build_modules(missing: Sequence[go_modules.GoModule]) -> None:
    if not missing:
        return
    disk.need("building the tools", layout.cache().root, BYTES_NEEDED)
    go = go_toolchain.require(missing[0].directory)
    minutes = sum(module.minutes for module in missing)
    names = ", ".join(module.name for module in missing)
    console.say(f"tools: building {names} with {go.command}, about {minutes} min the first time")
    for module in missing:
        _build_module(module, go)


def _point_current(joined: Path) -> None:
    """`tools/current` is for people; programs ask `bin_directory`."""
    link = joined.with_name(f".current.{os.getpid()}")
    link.symlink_to(joined.name)
    link.rename(joined.with_name("current"))


def module_directory(module: go_modules.GoModule) -> Path:
    """Where the programs of one module are, or will be."""
    return layout.cache().tools / "modules" / f"{module.name}-{module.key}"


def _build_module(module: go_modules.GoModule, go: go_toolchain.Go) -> None:
    log = layout.cache().log(f"tools-{module.name}")
    log.unlink(missing_ok=True)
    with console.Step(f"tools: {module.name}") as step, locking.new_directory(module_directory(module)) as draft:
        packages = list(module.programs.values())
        total = _count_packages(go, module, packages, step, log)
        counter = PackageCounter(total)
        command: list[str | Path] = [go.command, "build", "-v", *module.flags, "-o", f"{draft}{os.sep}", *packages]
        process.logged(
            command,
            log,
            timeout=BUILD_SECONDS,
            alive=lambda: step.progress(counter.sentence()),
            each_line=counter.see,
            variables=go.variables(),
            directory=module.directory,
        )
        for name, package in module.programs.items():
            (draft / go_modules.binary_name(package)).rename(draft / name)


def _count_packages(
    go: go_toolchain.Go, module: go_modules.GoModule, packages: Sequence[str], step: console.Step, log: Path
) -> int:
    """How many packages the programs consist of; downloads what is missing on the way."""
    seen: list[str] = []
    process.logged(
        [go.command, "list", "-mod=readonly", "-deps", "-f", "package {{.ImportPath}}", *packages],
        log,
        timeout=LIST_SECONDS,
        alive=lambda: step.progress("downloading modules"),
        each_line=seen.append,
        variables=go.variables(),
        directory=module.directory,
    )
    return sum(line.startswith("package ") for line in seen)


class PackageCounter:
    """Turns the lines of `go build -v`, one per package compiled, into a sentence."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._compiled = 0
        self._latest = ""

    def see(self, line: str) -> None:
        """Count one line of output; Go's remarks begin with `go:` and are no packages."""
        if line.strip() and not line.startswith(("go:", "#")):
            self._compiled += 1
            self._latest = line.strip()

    def sentence(self) -> str:
        """Where the build is; packages that Go has in its own cache are never printed, so the total is a bound."""
        if not self._compiled:
            return "everything is in Go's cache, linking"
        return f"{self._compiled} of at most {self._total} packages compiled, now at {self._latest}"
