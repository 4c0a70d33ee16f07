"""The cluster's programs, built from Go modules into the cache, one directory per module and one that joins them.

Law: a directory with its final name is complete. Two builds at once wait for each other; an interrupted one leaves
nothing but what Go itself has cached.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from cluster import console, disk, errors, go_modules, go_toolchain, keys, layout, locking, process

BUILD_SECONDS = 3600
LIST_SECONDS = 900
BYTES_NEEDED = 6_000_000_000
"""Go's module and build caches after a first build, and the programs: measured 5.1 GB."""


def bin_directory() -> Path:
    """Where the programs of this checkout's versions are, or will be."""
    key = keys.key_of({module.name: module.key for module in go_modules.MODULES})
    return layout.cache().tools / key / "bin"


def program(name: str) -> Path:
    """The path of one built program."""
    path = bin_directory() / name
    if not path.is_file():
        raise errors.ClusterError(f"{name} is not built yet: run `make tools` (about 15 minutes the first time)")
    return path


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
    missing = [module for module in go_modules.MODULES if not module_directory(module).is_dir()]
    if missing:
        disk.need("building the tools", layout.cache().root, BYTES_NEEDED)
        go = go_toolchain.require(missing[0].directory)
        minutes = sum(module.minutes for module in missing)
        names = ", ".join(module.name for module in missing)
        console.say(f"tools: building {names} with {go.command}, about {minutes} min the first time")
        for module in missing:
            _build_module(module, go)
    with locking.new_directory(final.parent) as draft:
        joined = draft / "bin"
        joined.mkdir()
        for module in go_modules.MODULES:
            for name in module.programs:
                os.link(module_directory(module) / name, joined / name)
    _point_current(final.parent)


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
