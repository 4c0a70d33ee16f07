import io
import json
import tarfile
from pathlib import Path

import pytest

from releasing.images import debian, oci_layout, python_images

START = python_images.start_of(python_images.COMPONENTS[0], "1.2.3")
TIME = "2026-01-02T03:04:05Z"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree/opt").mkdir(parents=True)
    (tmp_path / "tree/opt/file").write_text("content", encoding="utf-8")
    return tmp_path / "tree"


def written(out: Path, tree: Path) -> str:
    layer = oci_layout.layer_of(tree)
    variants = [oci_layout.Variant(architecture, (layer,)) for architecture in debian.ARCHITECTURES]
    return oci_layout.write(out, "neuronspan/operator:1.2.3", variants, START, TIME)


def blobs_of(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as stored:
        return {member.name: (stored.extractfile(member) or io.BytesIO()).read() for member in stored}


def test_layout_has_the_same_bytes_when_written_again_later(tmp_path: Path, tree: Path) -> None:
    first = written(tmp_path / "first", tree)
    (tree / "opt/file").touch()
    assert written(tmp_path / "second", tree) == first
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_layout_names_every_architecture(tmp_path: Path, tree: Path) -> None:
    digest = written(tmp_path / "image", tree)
    index = json.loads(blobs_of(tmp_path / "image")[f"blobs/{digest.replace(':', '/')}"])
    assert [each["platform"]["architecture"] for each in index["manifests"]] == ["amd64", "arm64"]


def test_every_blob_is_stored_under_its_digest(tmp_path: Path, tree: Path) -> None:
    written(tmp_path / "image", tree)
    stored = {name: content for name, content in blobs_of(tmp_path / "image").items() if name.startswith("blobs/")}
    assert stored
    assert all(
        oci_layout.digest(content) == name[len("blobs/") :].replace("/", ":") for name, content in stored.items()
    )


def test_digest_is_found_again_in_the_file(tmp_path: Path, tree: Path) -> None:
    digest = written(tmp_path / "image", tree)
    assert oci_layout.digest_in(tmp_path / "image") == digest


def test_containerd_imports_the_image_under_the_name_that_kubelet_looks_for(tmp_path: Path, tree: Path) -> None:
    written(tmp_path / "image", tree)
    (entry,) = json.loads(blobs_of(tmp_path / "image")["index.json"])["manifests"]
    assert entry["annotations"]["io.containerd.image.name"] == "docker.io/neuronspan/operator:1.2.3"
