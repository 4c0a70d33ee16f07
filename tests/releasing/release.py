"""Everything of a release, written into one directory."""

import datetime as dt
import json
import shutil
import tempfile
from pathlib import Path

import neuronspan
from cluster import archive, console, errors, layout, process, tools
from releasing import bills, chart_package, debian, images, provenance, wheels

CHECKSUMS = "SHA256SUMS"
PROVENANCE = "provenance.json"
GIT_SECONDS = 60.0
HELM_SECONDS = 120.0


def source() -> provenance.Source:
    """Return the commit of the checkout; ClusterError when files differ from it."""
    changed = _git("status", "--porcelain")
    if changed:
        raise errors.ClusterError(f"a release is made of one commit, but these files differ from it:\n{changed}")
    return provenance.Source(
        _git("rev-parse", "HEAD"), _git("show", "-s", "--format=%ct", "HEAD"), neuronspan.__version__
    )


def make(parent: Path) -> Path:
    """Write the release of the checkout's commit below ``parent``; return its directory, whole or not there."""
    about = source()
    final = parent / about.version
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=".draft-") as temporary:
        draft, work = Path(temporary) / "release", Path(temporary) / "work"
        draft.mkdir()
        work.mkdir()
        materials = _fill(draft, work, about)
        _conclude(draft, about, materials)
        shutil.rmtree(final, ignore_errors=True)
        draft.rename(final)
    for name, why in images.LEFT_OUT.items():
        console.say(f"release: no image {name}: {why}")
    return final


def checksums(directory: Path) -> dict[str, str]:
    """Return the sha256 of each file by name."""
    return {path.name: archive.digest_of(path) for path in sorted(directory.iterdir()) if path.name != CHECKSUMS}


def _fill(draft: Path, work: Path, about: provenance.Source) -> dict[str, str]:
    """Write the products; return what they were made of."""
    created = dt.datetime.fromtimestamp(int(about.created), dt.UTC)
    for name in wheels.COMPONENTS:
        wheels.compile_requirements(draft / f"requirements-{name}.txt", name)
    with console.Step("release: Debian's Python for " + " and ".join(images.ARCHITECTURES)):
        base = images.make_base(work)
    used = []
    for component in images.COMPONENTS:
        with console.Step(f"release: image {component.name}"):
            hashed = draft / f"requirements-{component.name}.txt"
            out = draft / f"neuronspan-{component.name}-{about.version}.oci.tar"
            stamp = created.strftime("%Y-%m-%dT%H:%M:%SZ")
            digest = images.write(out, component, base, hashed, work, stamp, about.version)
            used.append(bills.container(component.name, about.version, digest))
            _bill(draft, component.name, about.version, created, base, hashed)
    _chart(draft, about)
    text = bills.text("neuronspan-chart", about.version, created, used)
    (draft / f"chart-{about.version}.cdx.json").write_text(text, encoding="utf-8")
    found = {f"deb/{each.file}": each.sha256 for packages in base.packages.values() for each in packages}
    return found | {"constraints.txt": archive.digest_of(layout.CHECKOUT / "constraints.txt")}


def _bill(draft: Path, name: str, version: str, created: dt.datetime, base: images.Base, hashed: Path) -> None:
    parts = [bills.python_package(*pin) for pin in wheels.pins(hashed.read_text(encoding="utf-8"))]
    every: set[debian.Package] = {each for packages in base.packages.values() for each in packages}
    known = sorted({(each.name, each.version, each.architecture) for each in every})
    parts += [bills.debian_package(*each) for each in known]
    text = bills.text(f"neuronspan-{name}", version, created, parts)
    (draft / f"{name}-{version}.cdx.json").write_text(text, encoding="utf-8")


def _chart(draft: Path, about: provenance.Source) -> None:
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
