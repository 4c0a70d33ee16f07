"""Everything of a release, written into one directory."""

import datetime as dt
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from cyclonedx.model import component

import neuronspan
from cluster import archive, console, environment, errors, layout, process, tools
from releasing import bills, chart_package, provenance, wheels
from releasing.images import base, debian, python_images, runtime_image

CHECKSUMS = "SHA256SUMS"
PROVENANCE = "provenance.json"
GIT_SECONDS = 60.0
HELM_SECONDS = 120.0


def source() -> provenance.Source:
    """Return the commit of the checkout, and its time or SOURCE_DATE_EPOCH; ClusterError when files differ from it."""
    changed = _git("status", "--porcelain")
    if changed:
        raise errors.ClusterError(f"a release is made of one commit, but these files differ from it:\n{changed}")
    created = environment.value("SOURCE_DATE_EPOCH") or _git("show", "-s", "--format=%ct", "HEAD")
    return provenance.Source(_git("rev-parse", "HEAD"), created, neuronspan.__version__)


def make(parent: Path) -> Path:
    """Write the release of the checkout's commit below ``parent``; return its directory, whole or not there."""
    about = source()
    os.umask(0o022)  # of this process and its children: the modes of files are part of a release
    final = parent / about.version
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=".draft-") as temporary:
        draft, work = Path(temporary) / "release", Path(temporary) / "work"
        draft.mkdir()
        work.mkdir()
        materials = _fill(draft, work, about)
        _conclude(draft, about, materials)
        different = products(about.version) ^ {path.name for path in draft.iterdir()}
        if different:
            raise errors.ClusterError(f"a release has other files than it says: {', '.join(sorted(different))}")
        shutil.rmtree(final, ignore_errors=True)
        draft.rename(final)
    return final


def products(version: str) -> frozenset[str]:
    """Return the names of a release's files. Pure."""
    images = [image.name for image in python_images.COMPONENTS] + [runtime_image.NAME]
    return frozenset(
        {CHECKSUMS, PROVENANCE, f"neuronspan-{version}.tgz", f"neuronspan-{version}-py3-none-any.whl"}
        | {f"neuronspan-{image}-{version}.oci.tar" for image in images}
        | {f"{name}-{version}.cdx.json" for name in (*images, "chart")}
        | {f"requirements-{name}.txt" for name in wheels.COMPONENTS}
    )


def checksums(directory: Path) -> dict[str, str]:
    """Return the sha256 of each file by name."""
    return {path.name: archive.digest_of(path) for path in sorted(directory.iterdir()) if path.name != CHECKSUMS}


def _fill(draft: Path, work: Path, about: provenance.Source) -> dict[str, str]:
    """Write the products; return what they were made of."""
    created = dt.datetime.fromtimestamp(int(about.created), dt.UTC)
    for name in wheels.COMPONENTS:
        shutil.copyfile(wheels.locked(name), draft / f"requirements-{name}.txt")
    with console.Step("release: wheel"):
        wheels.build(draft, int(about.created))
    used = _images(draft, work, about.version, created)
    write_chart(draft, about)
    text = bills.text("neuronspan-chart", about.version, created, used)
    (draft / f"chart-{about.version}.cdx.json").write_text(text, encoding="utf-8")
    found = {f"deb/{each.file}": each.sha256 for each in debian.locked()}
    locked = (wheels.locked(name) for name in (*wheels.COMPONENTS, wheels.BUILD))
    return found | {str(path.relative_to(layout.CHECKOUT)): archive.digest_of(path) for path in locked}


def _images(draft: Path, work: Path, version: str, created: dt.datetime) -> list[component.Component]:
    """Write the images with their bills; return them as parts of the chart's."""
    stamp = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    with console.Step("release: Debian's Python for " + " and ".join(debian.ARCHITECTURES)):
        below = base.make(work)
    lowest = {each for packages in below.packages.values() for each in packages}
    digests = {}
    for image in python_images.COMPONENTS:
        with console.Step(f"release: image {image.name}"):
            out = draft / f"neuronspan-{image.name}-{version}.oci.tar"
            digests[image.name] = python_images.write(out, image, below, work, stamp, version)
        pins = wheels.pins(wheels.locked(image.name).read_text(encoding="utf-8"))
        _bill(draft, image.name, version, created, lowest, [bills.python_package(*pin) for pin in pins])
    with console.Step(f"release: image {runtime_image.NAME}, with its library for each architecture"):
        out = draft / f"neuronspan-{runtime_image.NAME}-{version}.oci.tar"
        digests[runtime_image.NAME], packages = runtime_image.write(out, below, work, stamp, version)
    _bill(draft, runtime_image.NAME, version, created, lowest | set(packages), [])
    return [bills.container(name, version, digest) for name, digest in digests.items()]


def _bill(
    draft: Path,
    name: str,
    version: str,
    created: dt.datetime,
    packages: Iterable[debian.Package],
    parts: list[component.Component],
) -> None:
    parts += [bills.debian_package(each.name, each.version, each.architecture) for each in sorted(packages)]
    text = bills.text(f"neuronspan-{name}", version, created, parts)
    (draft / f"{name}-{version}.cdx.json").write_text(text, encoding="utf-8")


def write_chart(draft: Path, about: provenance.Source) -> None:
    """Write the chart's package, with the time of the commit."""
    chart = layout.CHECKOUT / "charts/neuronspan"
    with tempfile.TemporaryDirectory() as temporary:
        command = [tools.program("helm"), "package", chart, "--destination", temporary]
        process.run(list(map(str, command)), timeout=HELM_SECONDS)
        (made,) = Path(temporary).iterdir()
        chart_package.rewrite(made, draft / made.name, int(about.created))


def _conclude(draft: Path, about: provenance.Source, materials: dict[str, str]) -> None:
    statement = provenance.statement(about, checksums(draft), materials)
    (draft / PROVENANCE).write_text(json.dumps(statement, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    lines = (f"{value}  {name}\n" for name, value in checksums(draft).items())
    (draft / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def _git(*words: str) -> str:
    return process.run(["git", "-C", str(layout.CHECKOUT), *words], timeout=GIT_SECONDS).strip()
