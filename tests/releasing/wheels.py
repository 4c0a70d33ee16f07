"""Wheels: the requirements of each part, locked with hashes in the versions of constraints.txt, and our own wheel.

Law: what is installed was named by its hash in the commit; an index decides nothing.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from cluster import environment, layout, process, reader_image, requirements, virtual_environment

COMPONENTS = ("operator", "deviceplugin", "cli", "try")
"""What one installs by requirements: extras of pyproject.toml."""
BUILD = "build"
"""The file with what builds our own wheel."""
AUDIT = "wheels"
"""The file, and the dependency group of pyproject.toml, with what names the systems of a wheel with libraries in it."""
IMAGES = ("operator", "deviceplugin")
"""Those whose Dockerfile installs the list, so it lies beside it."""
READERS = "readers"
"""The image of other people's programs that read Neuron's files: for tests, in no release."""
READ_BY = ("vizneuron==0.0.1", "xpustat==0.4.0")
"""These versions: the documentation says what was seen with them."""
PLATFORMS = {"amd64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}
PYTHON = "3.13"
SECONDS = 900.0


def lock() -> None:
    """Write every list anew, in the versions of constraints.txt, for every supported Python and platform."""
    pyproject = (layout.CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    for component in COMPONENTS:
        _lock(component, requirements.of_extras(pyproject, [component]))
    _lock(BUILD, requirements.of_build(pyproject))
    _lock(READERS, READ_BY)
    _lock(AUDIT, requirements.of_group(pyproject, AUDIT))


def locked(component: str) -> Path:
    """Return the hashed requirements of a component."""
    if component == READERS:
        return layout.CHECKOUT / reader_image.IMAGE.requirements
    if component in IMAGES:
        return layout.CHECKOUT / component / "requirements.txt"
    return layout.CHECKOUT / "tests/releasing/locked" / f"{component}.txt"


def install(target: Path, hashed: Path, architecture: str) -> None:
    """Install hashed requirements for an architecture into ``target``; nothing is compiled and nothing of it run."""
    command = [uv(), "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "--no-deps"]
    command += ["--python-platform", PLATFORMS[architecture], "--python-version", PYTHON, "--link-mode", "copy"]
    process.run([*command, "--target", str(target), "--requirement", str(hashed)], timeout=SECONDS)
    (target / ".lock").unlink(missing_ok=True)
    _without_commands(target)


def build(directory: Path, created: int, changes: Mapping[str, str] | None = None) -> Path:
    """Build our own wheel into ``directory`` with the locked build tools and one time; return it.

    ``changes`` are variables that the build hook of pyproject.toml reads.
    """
    command = [uv(), "build", "--quiet", "--wheel", "--no-create-gitignore", "--require-hashes"]
    command += ["--build-constraint", str(locked(BUILD)), "--out-dir", str(directory), str(layout.CHECKOUT)]
    variables = environment.variables(SOURCE_DATE_EPOCH=str(created), **(changes or {}))
    process.run(command, timeout=SECONDS, variables=variables)
    (wheel,) = directory.glob("*.whl")
    return wheel


def pins(hashed: str) -> tuple[tuple[str, str], ...]:
    """Return name and version of each requirement in a hashed file, markers left out. Pure."""
    lines = (line.split(" ", 1)[0] for line in hashed.splitlines() if "==" in line and not line.startswith((" ", "#")))
    return tuple(sorted((name, version) for name, _, version in (line.partition("==") for line in lines)))


def uv() -> str:
    """Return the path of uv in the tests' environment."""
    return str(virtual_environment.directory() / "bin/uv")


def _without_commands(target: Path) -> None:
    """Remove the commands that wheels bring: no image runs them, and their first line is a path of this machine."""
    shutil.rmtree(target / "bin", ignore_errors=True)
    for record in target.glob("*.dist-info/RECORD"):
        lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
        record.write_text("".join(line for line in lines if not line.startswith("bin/")), encoding="utf-8")


def _lock(component: str, wanted: tuple[str, ...]) -> None:
    command = [uv(), "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-annotate", "--upgrade"]
    command += ["--no-emit-index-url", "--python-version", "3.11", "--custom-compile-command", "make lock"]
    command += ["--constraint", str(layout.CHECKOUT / "constraints.txt"), "--output-file", str(locked(component)), "-"]
    process.run(command, timeout=SECONDS, stdin="\n".join(wanted).encode())
