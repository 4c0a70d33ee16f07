"""The Python environment for tests and tools: third-party packages only, so that every checkout can share it.

Our own packages are found by path (pytest's `pythonpath`, PYTHONPATH in the Makefile), never installed.
"""

import sys
from pathlib import Path

from cluster import console, disk, environment, errors, keys, layout, locking, packages, process, requirements

EXTRAS = ("dev", "operator", "deviceplugin", "cli", "runtime")
SUPPORTED = ((3, 11), (3, 12), (3, 13))
BYTES_NEEDED = 7_000_000_000
"""torch for x86-64 comes with its CUDA libraries: 4.7 GB installed."""
INSTALL_SECONDS = 2400.0
PROGRAMS = {"g++": "g++", "openssl": "openssl"}
"""The runtime compiles its device library for the installed torch; the tests' API server gets a key."""
COMPLETE = "complete"


def directory() -> Path:
    """Where the environment of this checkout's requirements is, or will be."""
    version = ".".join(map(str, sys.version_info[:3]))
    parts = {
        "requirements": "\n".join(wanted()),
        "constraints": (layout.CHECKOUT / "constraints.txt").read_text(encoding="utf-8"),
        "python": f"{sys.implementation.name} {version} {sys.platform} {sys.base_prefix}",
    }
    return layout.cache().environments / keys.key_of(parts)


def wanted() -> tuple[str, ...]:
    """The requirements of everything that is tested."""
    return requirements.of_extras((layout.CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"), EXTRAS)


def build() -> Path:
    """Make sure that the environment exists, and the programs that tests run beside it; returns its directory."""
    for program, package in PROGRAMS.items():
        packages.need(program, package)
    final = directory()
    if is_complete(final):
        console.say(f"venv: nothing to do, {final}")
        return final
    if sys.version_info[:2] not in SUPPORTED:
        known = ", ".join(f"{major}.{minor}" for major, minor in SUPPORTED)
        raise errors.NoPython(f"Python {known} is supported, this is {sys.version.split()[0]}: make PYTHON=python3.13")
    cache = layout.cache()
    with locking.exclusive(cache.lock("venv")):
        if not is_complete(final):
            disk.need("the virtual environment", cache.root, BYTES_NEEDED)
            _build(final)
    return final


def _build(final: Path) -> None:
    log = layout.cache().log("venv")
    log.unlink(missing_ok=True)
    if not process.succeeds([sys.executable, "-c", "import ensurepip, venv"], timeout=60):
        packages.install(["python3-venv"])
    with console.Step(f"venv: {len(wanted())} requirements, torch among them") as step:
        process.run([sys.executable, "-m", "venv", "--clear", final], timeout=300)
        process.logged(
            [final / "bin/python", "-m", "pip", "install", "--progress-bar", "off", *pip_arguments()],
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


def pip_arguments() -> list[str]:
    """What is installed, and in which versions."""
    return ["--constraint", str(layout.CHECKOUT / "constraints.txt"), *wanted()]
