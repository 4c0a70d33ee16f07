"""A release of one small image goes into a real registry and is found there by its digest."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import errors, go_modules, tools
from releasing import pushing
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
    directory, tree = tmp_path / "1.2.3", tmp_path / "tree"
    directory.mkdir()
    tree.mkdir()
    (tree / "file").write_text("content", encoding="utf-8")
    layer = oci_layout.layer_of(tree)
    variants = [oci_layout.Variant(each, (layer,)) for each in debian.ARCHITECTURES]
    start = python_images.start_of(python_images.COMPONENTS[0], "1.2.3")
    name = "neuronspan/operator:1.2.3"
    oci_layout.write(directory / "neuronspan-operator-1.2.3.oci.tar", name, variants, start, "2026-01-02T03:04:05Z")
    return directory


def test_pushed_image_has_the_digest_of_the_release(release: Path, registry: str, crane: Path) -> None:
    (name,) = pushing.push(release, registry, crane, Path("helm"), ("--insecure",))
    digest = oci_layout.digest_in(release / "neuronspan-operator-1.2.3.oci.tar")
    assert name == f"{registry}/neuronspan/operator@{digest}"


def test_push_into_a_registry_that_does_not_answer_fails(release: Path, crane: Path) -> None:
    with pytest.raises(errors.ClusterError, match="crane"):
        pushing.push(release, "127.0.0.1:1/team", crane, Path("helm"), ("--insecure",))
