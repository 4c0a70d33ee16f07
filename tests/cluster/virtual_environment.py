"""The Python environment for tests and tools: third-party packages only, so that every checkout can share it.

Our own packages are found by path (pytest's `pythonpath`, PYTHONPATH in the Makefile), never installed.
"""

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path

from cluster import console, disk, environment, errors, keys, layout, locking, packages, process, requirements

SUPPORTED = ((3, 11), (3, 12), (3, 13))
INSTALL_SECONDS = 2400.0
COMPLETE = "complete"


@dataclasses.dataclass(frozen=True)
class Purpose:
    """What an environment is for: extras of pyproject.toml, and Debian packages by the programs they bring."""

    name: str
    extras: tuple[str, ...]
    size: int
    """Bytes on the disk, while it is installed."""
    programs: Mapping[str, str] = dataclasses.field(default_factory=dict)


EVERYTHING = Purpose(
    "everything",
    ("dev", "operator", "deviceplugin", "cli", "runtime"),
    # torch for x86-64 comes with its CUDA libraries: 4.7 GB installed
    size=7_000_000_000,
    # the runtime compiles its device library for the installed torch; the tests' API server gets a key
    programs={"g++": "g++", "openssl": "openssl"},
)
DEMO = Purpose("demo", ("cli",), size=500_000_000)
"""The demo's models run in containers: on the machine itself nothing but the command line is needed."""
PURPOSES = {purpose.name: purpose for purpose in (EVERYTHING, DEMO)}


def directory(purpose: Purpose = EVERYTHING) -> Path:
    """Where the environment of this checkout's requirements is, or will be; one with everything serves the demo too."""
    everything = _directory(EVERYTHING)
    return everything if is_complete(everything) else _directory(purpose)


def _directory(purpose: Purpose) -> Path:
    version = ".".join(map(str, sys.version_info[:3]))
    parts = {
        "requirements": "\n".join(wanted(purpose)),
        "constraints": (layout.CHECKOUT / "constraints.txt").read_text(encoding="utf-8"),
        "python": f"{sys.implementation.name} {version} {sys.platform} {sys.base_prefix}",
    }
    return layout.cache().environments / keys.key_of(parts)


def wanted(purpose: Purpose = EVERYTHING) -> tuple[str, ...]:
    """The requirements of a purpose."""
    return requirements.of_extras((layout.CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"), purpose.extras)


def build(purpose: Purpose = EVERYTHING) -> Path:
    """Make sure that the environment exists, and the programs that run beside it; returns its directory."""
    for program, package in purpose.programs.items():
        packages.need(program, package)
    final = directory(purpose)
    if is_complete(final):
        console.say(f"venv: nothing to do, {final}")
        return final
    if sys.version_info[:2] not in SUPPORTED:
        known = ", ".join(f"{major}.{minor}" for major, minor in SUPPORTED)
        raise errors.NoPython(f"Python {known} is supported, this is {sys.version.split()[0]}: make PYTHON=python3.13")
    cache = layout.cache()
    with locking.exclusive(cache.lock(f"venv-{purpose.name}")):
        if not is_complete(final):
            disk.need("the virtual environment", cache.root, purpose.size)
            _build(final, purpose)
    return final


def _build(final: Path, purpose: Purpose) -> None:
    log = layout.cache().log(f"venv-{purpose.name}")
    log.unlink(missing_ok=True)
    if not process.succeeds([sys.executable, "-c", "import ensurepip, venv"], timeout=60):
        packages.install(["python3-venv"])
    with console.Step(f"venv for {purpose.name}: {len(wanted(purpose))} requirements") as step:
        process.run([sys.executable, "-m", "venv", "--clear", final], timeout=300)
        process.logged(
            [final / "bin/python", "-m", "pip", "install", "--progress-bar", "off", *pip_arguments(purpose)],
            log,
            timeout=INSTALL_SECONDS,
            alive=lambda: step.progress("installing"),
            variables=environment.variables(PIP_DISABLE_PIP_VERSION_CHECK="1"),
        )
        (final / COMPLETE).touch()


def is_complete(final: Path) -> bool:
    """Whether everything was installed: scripts carry the path they were made for, so no rename at the end tells."""
    return (final / COMPLETE).is_file()


def lock() -> None:
    """Write constraints.txt anew: what pip chooses today for everything pyproject.toml asks for."""
    pip = [str(build() / "bin/python"), "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
    report = process.run([*pip, "--report", "-", *wanted()], timeout=INSTALL_SECONDS)
    path = layout.CHECKOUT / "constraints.txt"
    header = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    path.write_text("\n".join([*header, *requirements.pins(report), ""]), encoding="utf-8")


def pip_arguments(purpose: Purpose) -> list[str]:
    """What is installed, and in which versions."""
    return ["--constraint", str(layout.CHECKOUT / "constraints.txt"), *wanted(purpose)]
