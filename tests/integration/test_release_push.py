"""A release of one small image and the chart goes into a real registry, and both are found there again."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import neuronspan
from cluster import errors, go_modules, process, tools
from releasing import provenance, pushing
from releasing import release as made
from releasing.images import debian, oci_layout, python_images

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]
"""crane is built from its Go module at first use."""


@pytest.fixture(scope="module")
def crane() -> Path:
    return tools.ensure(go_modules.CRANE) / "crane"


@pytest.fixture
def registry(crane: Path) -> Iterator[str]:
    command = [str(crane), "registry", "serve", "--address", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as served:
        assert served.stderr is not None
        line = next(line for line in served.stderr if "serving on" in line)
        yield f"127.0.0.1:{line.split()[-1]}/team"
        served.terminate()


@pytest.fixture
def release(tmp_path: Path) -> Path:
    directory, tree = tmp_path / neuronspan.__version__, tmp_path / "tree"
    directory.mkdir()
    tree.mkdir()
    (tree / "file").write_text("content", encoding="utf-8")
    layer = oci_layout.layer_of(tree)
    variants = [oci_layout.Variant(each, (layer,)) for each in debian.ARCHITECTURES]
    start = python_images.start_of(python_images.COMPONENTS[0], neuronspan.__version__)
    name = f"neuronspan/operator:{neuronspan.__version__}"
    oci_layout.write(
        directory / f"neuronspan-operator-{neuronspan.__version__}.oci.tar",
        name,
        variants,
        start,
        "2026-01-02T03:04:05Z",
    )
    return directory


def test_pushed_image_has_the_digest_of_the_release(release: Path, registry: str, crane: Path) -> None:
    (name,) = pushing.push(release, registry, crane, Path("helm"), ("--insecure",))
    digest = oci_layout.digest_in(release / f"neuronspan-operator-{neuronspan.__version__}.oci.tar")
    assert name == f"{registry}/neuronspan/operator@{digest}"


def test_push_into_a_registry_that_does_not_answer_fails(release: Path, crane: Path) -> None:
    with pytest.raises(errors.ClusterError, match="crane"):
        pushing.push(release, "127.0.0.1:1/team", crane, Path("helm"), ("--insecure",))


def test_pushed_chart_is_the_one_of_the_release(release: Path, registry: str, crane: Path, tmp_path: Path) -> None:
    helm = tools.program("helm")
    about = provenance.Source("c0ffee", "1767312000", release.name)
    made.write_chart(release, about)
    (chart,) = release.glob("*.tgz")
    *_, name = pushing.push(release, registry, crane, helm, ("--insecure",))
    assert name.startswith(f"{registry}/charts/neuronspan@sha256:")
    pull: list[str | Path] = [helm, "pull", f"oci://{registry}/charts/neuronspan", "--plain-http"]
    pull += ["--version", neuronspan.__version__]
    process.run([*pull, "--destination", tmp_path], timeout=60)
    assert (tmp_path / chart.name).read_bytes() == chart.read_bytes()
