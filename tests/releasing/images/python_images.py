"""The images of operator and device plugin for every architecture: Debian's Python, wheels, and our sources.

Law: an image starts as its Dockerfile says.
"""

import dataclasses
import shutil
from pathlib import Path

from cluster import layout, product_images
from releasing import wheels
from releasing.images import base, debian, oci_layout, trees

PACKAGES = "opt/venv/lib/python3.13/site-packages"


@dataclasses.dataclass(frozen=True)
class Component:
    """An image that is pure Python: its module, its user and its title."""

    name: str
    module: str
    user: str
    title: str


COMPONENTS = (
    Component("operator", "neuronspan_operator", "65532:65532", "neuronspan operator"),
    Component("deviceplugin", "neuronspan_deviceplugin", "0:0", "neuronspan device plugin"),
)


def write(out: Path, component: Component, below: base.Base, work: Path, created: str, version: str) -> str:
    """Write the image of a component for every architecture; return its digest."""
    ours = below.compiled(sources(component.name, work / f"{component.name}-sources"), "opt", base.BARE)
    variants = []
    for architecture in debian.ARCHITECTURES:
        tree = work / f"{component.name}-{architecture}"
        wheels.install(tree / PACKAGES, wheels.locked(component.name), architecture)
        _as_environment(tree / "opt/venv")
        trees.readable(tree)
        libraries = below.compiled(tree, "opt", base.BARE)
        variants.append(oci_layout.Variant(architecture, (below.layers[architecture], libraries, ours)))
    reference = f"neuronspan/{component.name}:{version}"
    return oci_layout.write(out, reference, variants, start_of(component, version), created)


def start_of(component: Component, version: str) -> oci_layout.Start:
    """Return how the image starts. Pure."""
    return oci_layout.Start(
        entrypoint=("/opt/venv/bin/python", "-m", component.module),
        user=component.user,
        environment={
            "PATH": "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": "/opt/neuronspan",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONOPTIMIZE": base.BARE,
        },
        labels=labels(component.title, version),
    )


def labels(title: str, version: str) -> dict[str, str]:
    """Return what an image says of itself. Pure."""
    return {
        "org.opencontainers.image.title": title,
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.version": version,
    }


def sources(name: str, tree: Path) -> Path:
    """Copy what an image has of this checkout to `opt/neuronspan` below ``tree``, whatever the umask was."""
    (image,) = (each for each in product_images.IMAGES if each.name == name)
    for source in image.sources:
        kept = shutil.ignore_patterns("__pycache__", "*.pyc", "*.so", "Dockerfile", "requirements.txt")
        target = tree / "opt/neuronspan" / ("" if source == name else Path(source).name)
        shutil.copytree(layout.CHECKOUT / source, target, ignore=kept, dirs_exist_ok=True)
    trees.readable(tree)
    return tree


def _as_environment(directory: Path) -> None:
    (directory / "bin").mkdir()
    for name in ("python", "python3"):
        (directory / "bin" / name).symlink_to("/usr/bin/python3.13")
    settings = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.13\n"
    (directory / "pyvenv.cfg").write_text(settings, encoding="ascii")
