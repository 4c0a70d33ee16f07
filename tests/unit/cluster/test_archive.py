import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from cluster import archive


def _tree(root: Path, moment: float) -> Path:
    """A small tree whose times and order of creation differ from call to call."""
    (root / "usr/bin").mkdir(parents=True)
    for name in sorted(["tool", "alias", "zeta"], reverse=moment > 1):
        (root / "usr/bin" / name).write_text(name, encoding="ascii")
    (root / "usr/bin/tool").chmod(0o755)
    (root / "bin").symlink_to("usr/bin")
    os.link(root / "usr/bin/tool", root / "usr/bin/tool-again")
    for path in root.rglob("*"):
        os.utime(path, (moment, moment), follow_symlinks=False)
    return root


def _read(path: Path) -> tuple[list[Any], dict[str, Any], bytes]:
    with tarfile.open(path) as outer:
        manifest = json.loads(_bytes(outer, "manifest.json"))
        config = json.loads(_bytes(outer, manifest[0]["Config"]))
        layer = _bytes(outer, manifest[0]["Layers"][0])
    return manifest, config, layer


def _bytes(outer: tarfile.TarFile, name: str) -> bytes:
    content = outer.extractfile(name)
    assert content is not None
    return content.read()


def test_archive_has_the_same_bytes_for_the_same_tree(tmp_path: Path) -> None:
    written = []
    for number, moment in enumerate((1.0, 1_000_000_000.0)):
        out = tmp_path / f"{number}.tar"
        root = _tree(tmp_path / f"tree{number}", moment)
        written.append((archive.write(out, ["own/image:1"], root, archive.ImageConfig()), out.read_bytes()))
    assert written[0] == written[1]


def test_archive_changes_with_content_name_and_start(tmp_path: Path) -> None:
    root = _tree(tmp_path / "tree", 1.0)

    def image(config: archive.ImageConfig | None = None) -> str:
        return archive.write(tmp_path / "out.tar", ["own/image:1"], root, config or archive.ImageConfig())

    first = image()
    second = image(archive.ImageConfig(entrypoint=("/tool",)))
    (root / "usr/bin/zeta").write_text("other", encoding="ascii")
    third = image()
    assert len({first, second, third}) == 3


def test_archive_is_what_docker_load_reads(tmp_path: Path) -> None:
    out = tmp_path / "out.tar"
    config = archive.ImageConfig(entrypoint=("/tool",), stop_signal="SIGRTMIN+3", environment={"b": "2", "a": "1"})
    identity = archive.write(out, ["own/image:1", "own/image:2"], _tree(tmp_path / "tree", 1.0), config)
    manifest, document, layer = _read(out)
    assert manifest[0]["RepoTags"] == ["own/image:1", "own/image:2"]
    assert identity == f"sha256:{manifest[0]['Config'].removesuffix('.json')}"
    assert document["config"]["Entrypoint"] == ["/tool"]
    assert document["config"]["StopSignal"] == "SIGRTMIN+3"
    assert document["config"]["Env"][1:] == ["a=1", "b=2"]
    assert document["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]


def test_layer_keeps_modes_and_links_and_leaves_no_trace_of_this_machine(tmp_path: Path) -> None:
    out = tmp_path / "out.tar"
    archive.write(out, ["own/image:1"], _tree(tmp_path / "tree", 5.0), archive.ImageConfig())
    _, _, layer = _read(out)
    with tarfile.open(fileobj=io.BytesIO(layer)) as content:
        members = {member.name: member for member in content.getmembers()}
    assert list(members) == sorted(members, key=lambda name: name.split("/"))
    assert members["bin"].issym()
    assert members["bin"].linkname == "usr/bin"
    assert members["usr/bin/tool"].mode & 0o777 == 0o755
    assert members["usr/bin/tool-again"].islnk()
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members.values()} == {(0, 0, 0, "")}


def test_failed_archive_leaves_no_layer_behind(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        archive.write(tmp_path / "out.tar", ["own/image:1"], tmp_path / "missing", archive.ImageConfig())
    assert list(tmp_path.glob("*.layer")) == []
