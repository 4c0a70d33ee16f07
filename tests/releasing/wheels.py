"""The Python requirements of a component: pinned with hashes, and installed for an architecture from wheels only."""

from pathlib import Path

from cluster import layout, process, requirements, virtual_environment

COMPONENTS = {"operator": "operator", "deviceplugin": "deviceplugin", "cli": "cli"}
"""What one installs by requirements, and the extra of pyproject.toml that names them."""
PLATFORMS = {"amd64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}
PYTHON = "3.13"
SECONDS = 900.0


def compile_requirements(out: Path, component: str) -> None:
    """Write the hashed requirements of a component, in the versions of constraints.txt, for every platform."""
    pyproject = (layout.CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    wanted = out.with_suffix(".in")
    wanted.write_text("\n".join(requirements.of_extras(pyproject, [COMPONENTS[component]])) + "\n", encoding="utf-8")
    constraints = layout.CHECKOUT / "constraints.txt"
    command = [uv(), "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header", "--no-annotate"]
    command += ["--no-emit-index-url", "--python-version", "3.11", "--constraint", str(constraints)]
    process.run([*command, "--output-file", str(out), str(wanted)], timeout=SECONDS)
    wanted.unlink()


def install(target: Path, hashed: Path, architecture: str) -> None:
    """Install hashed requirements for an architecture into ``target``; nothing is compiled and nothing of it run."""
    command = [uv(), "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "--no-deps"]
    command += ["--python-platform", PLATFORMS[architecture], "--python-version", PYTHON, "--link-mode", "copy"]
    process.run([*command, "--target", str(target), "--requirement", str(hashed)], timeout=SECONDS)
    (target / ".lock").unlink(missing_ok=True)


def pins(hashed: str) -> tuple[tuple[str, str], ...]:
    """Return name and version of each requirement in a hashed file, markers left out. Pure."""
    lines = (line.split(" ", 1)[0] for line in hashed.splitlines() if "==" in line and not line.startswith((" ", "#")))
    return tuple(sorted((name, version) for name, _, version in (line.partition("==") for line in lines)))


def uv() -> str:
    """Return the path of uv in the tests' environment."""
    return str(virtual_environment.directory() / "bin/uv")
