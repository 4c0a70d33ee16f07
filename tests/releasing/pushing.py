"""A release's images and chart into a registry, each found again by its digest there."""

import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from cluster import errors, process
from releasing.images import oci_layout

SECONDS = 1800.0
Run = Callable[[list[str]], str]


def run(command: list[str]) -> str:
    """Run a command; return what it printed."""
    return process.run(command, timeout=SECONDS)


def push(release: Path, registry: str, crane: Path, helm: Path, options: tuple[str, ...] = ()) -> list[str]:
    """Push everything of the release; return the names by digest. ``options`` go to crane, ``--insecure`` for one."""
    if not release.is_dir():
        raise errors.ClusterError(f"there is no release in {release}: run `make release` first")
    pushed = [_image(path, release.name, registry, crane, options) for path in sorted(release.glob("*.oci.tar"))]
    plain = ["--plain-http"] if "--insecure" in options else []
    for chart in release.glob("neuronspan-*.tgz"):
        run([str(helm), "push", str(chart), f"oci://{registry}/charts", *plain])
        name = f"{registry}/charts/neuronspan"
        pushed.append(f"{name}@{run([str(crane), 'digest', *options, f'{name}:{release.name}']).strip()}")
    return pushed


def _image(path: Path, version: str, registry: str, crane: Path, options: tuple[str, ...]) -> str:
    component = path.name.removeprefix("neuronspan-").removesuffix(f"-{version}.oci.tar")
    name = f"{registry}/neuronspan/{component}"
    with tempfile.TemporaryDirectory() as temporary:
        with tarfile.open(path) as stored:
            stored.extractall(temporary, filter="data")
        # crane pushes the layout's own index: let that be the image's, not one around it
        image = Path(temporary, "blobs", *oci_layout.digest_in(path).split(":"))
        Path(temporary, "index.json").write_bytes(image.read_bytes())
        run([str(crane), "push", "--index", *options, temporary, f"{name}:{version}"])
    there = run([str(crane), "digest", *options, f"{name}:{version}"]).strip()
    expected = oci_layout.digest_in(path)
    if there != expected:
        raise errors.ClusterError(
            f"{name}:{version} is {there} in the registry, but {expected} in {path.name}: push anew"
        )
    return f"{name}@{there}"
