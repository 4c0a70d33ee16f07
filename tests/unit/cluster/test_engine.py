import json
import os
import subprocess
from pathlib import Path

import pytest

from cluster import capabilities, control_plane_images, engine, engine_images, kernel_limits, loading, packages

SPECIFICATION = {
    "process": {
        "capabilities": {
            "bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE", "CAP_SYS_TIME"],
            "effective": ["CAP_SYS_RESOURCE"],
            "permitted": ["CAP_CHOWN", "CAP_SYS_RESOURCE"],
        }
    },
    "root": {"path": "/CAP_SYS_RESOURCE"},
}


@pytest.mark.parametrize(
    ("bounding", "absent"),
    [
        ("000001ffffffffff", ()),
        ("000001fffeffffff", ("CAP_SYS_RESOURCE",)),
        ("000000ffffffffff", ("CAP_CHECKPOINT_RESTORE",)),
        ("000001fffffffffe", ("CAP_CHOWN",)),
    ],
)
def test_missing_capabilities_are_read_from_the_bounding_set(bounding: str, absent: tuple[str, ...]) -> None:
    assert capabilities.missing(f"CapEff:\t0\nCapBnd:\t{bounding}\nCapAmb:\t0\n") == absent


@pytest.mark.parametrize(
    "words", [["run", "--bundle", "B"], ["create", "--bundle=B"], ["exec", "--process", "B/config.json"]]
)
def test_wrapper_takes_capabilities_out_of_the_specification(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SPECIFICATION, separators=(",", ":")), encoding="ascii")
    script = tmp_path / "wrapper"
    script.write_text(capabilities.wrapper("/bin/echo", ("CAP_SYS_RESOURCE",)), encoding="ascii")
    given = [word.replace("B", str(tmp_path)) for word in words]
    said = subprocess.run(["/bin/sh", script, *given], capture_output=True, text=True, check=True).stdout
    left = json.loads((tmp_path / "config.json").read_text(encoding="ascii"))
    assert said.split() == given
    assert left["process"]["capabilities"] == {
        "bounding": ["CAP_CHOWN", "CAP_SYS_TIME"],
        "effective": [],
        "permitted": ["CAP_CHOWN"],
    }
    assert left["root"] == SPECIFICATION["root"]


def test_runtime_is_added_to_the_systems_configuration() -> None:
    system = {"runtimes": {"nvidia": {"path": "/n"}}, "data-root": "/data", "default-runtime": "nvidia"}
    changed = engine.with_runtime(system, Path("/w"))
    assert changed["runtimes"] == {"nvidia": {"path": "/n"}, "neuronspan": {"path": "/w"}}
    assert (changed["data-root"], changed["default-runtime"]) == ("/data", "neuronspan")
    assert system["default-runtime"] == "nvidia"


@pytest.mark.parametrize(
    ("text", "major"), [("20.10.24+dfsg1", 20), ("Docker version 28.2.2, build e6534b4", 28), ("unknown", 999)]
)
def test_major_version_of_the_engine_is_parsed(text: str, major: int) -> None:
    assert engine.parse_major(text) == major


@pytest.mark.parametrize(("number", "kept"), [("999999999", False), (str(os.getpid()), False)], ids=["gone", "other"])
def test_process_file_of_an_engine_that_is_gone_is_removed(tmp_path: Path, number: str, kept: bool) -> None:
    path = tmp_path / "docker.pid"
    path.write_text(number, encoding="ascii")
    engine.remove_stale_process_file(path)
    assert path.exists() is kept


def test_missing_process_file_is_no_problem(tmp_path: Path) -> None:
    engine.remove_stale_process_file(tmp_path / "docker.pid")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("complaint", "words"),
    [
        ("Error response from daemon: dial tcp: lookup registry on 1.2.3.4:53: no such host", "cannot be reached"),
        ("Error response from daemon: manifest for kindest/node:v9 not found", "not found"),
        ("", "no reason given"),
    ],
)
def test_failed_pull_is_explained_in_one_line(complaint: str, words: str) -> None:
    said = engine_images.why_not(complaint)
    assert words in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("reference", "mirror", "source"),
    [
        ("debian:trixie-slim", "", "debian:trixie-slim"),
        ("debian:trixie-slim", "r.example:5000", "r.example:5000/library/debian:trixie-slim"),
        ("kindest/node:v1", "r.example/hub", "r.example/hub/kindest/node:v1"),
    ],
)
def test_public_image_comes_from_the_mirror_where_there_is_one(reference: str, mirror: str, source: str) -> None:
    assert engine_images.mirrored(reference, mirror) == source


@pytest.mark.parametrize(
    ("reference", "full"),
    [
        ("debian:trixie-slim", "docker.io/library/debian:trixie-slim"),
        ("neuronspan/operator:1", "docker.io/neuronspan/operator:1"),
        ("example.com/a/b:1", "example.com/a/b:1"),
        ("localhost:5000/a:1", "localhost:5000/a:1"),
        ("localhost/a:1", "localhost/a:1"),
    ],
)
def test_full_name_is_what_container_runtimes_keep(reference: str, full: str) -> None:
    assert loading.full_name(reference) == full


@pytest.mark.parametrize(
    ("nodes", "workers"),
    [(("c-control-plane", "c-worker", "c-worker2"), ("c-worker", "c-worker2")), (("c-control-plane",),) * 2],
    ids=["with workers", "alone"],
)
def test_images_go_to_the_nodes_that_run_pods(nodes: tuple[str, ...], workers: tuple[str, ...]) -> None:
    assert loading.workers(nodes) == workers


@pytest.mark.parametrize(
    ("policy", "version"),
    [
        ("golang-go:\n  Installed: (none)\n  Candidate: 2:1.24~2\n", "1.24~2"),
        ("golang-go:\n  Installed: (none)\n  Candidate: (none)\n", ""),
        ("", ""),
    ],
    ids=["known", "not available", "unknown"],
)
def test_candidate_of_a_package_is_parsed(policy: str, version: str) -> None:
    assert packages.parse_candidate(policy) == version


def test_image_names_are_read_by_component() -> None:
    listing = "example.com/kube-apiserver:v1.36.3\nexample.com/pause:3.10\nexample.com/coredns/coredns:v1.13\n"
    assert control_plane_images.parse_names(listing) == {
        "kube-apiserver": "example.com/kube-apiserver:v1.36.3",
        "pause": "example.com/pause:3.10",
        "coredns": "example.com/coredns/coredns:v1.13",
    }


def test_libraries_are_read_once_each_under_merged_usr() -> None:
    listing = """/usr/sbin/tool:
	linux-vdso.so.1 (0x1)
	libmnl.so.0 => /lib/x86_64-linux-gnu/libmnl.so.0 (0x2)
	/lib64/ld-linux-x86-64.so.2 (0x3)
/usr/lib/x.so:
	libmnl.so.0 => /usr/lib/x86_64-linux-gnu/libmnl.so.0 (0x2)
	statically linked
"""
    assert control_plane_images.parse_libraries(listing) == [
        "/usr/lib/x86_64-linux-gnu/libmnl.so.0",
        "/usr/lib64/ld-linux-x86-64.so.2",
    ]


def test_limits_that_are_too_low_are_raised_and_others_left(tmp_path: Path) -> None:
    (tmp_path / "max_user_instances").write_text("128\n", encoding="ascii")
    (tmp_path / "max_user_watches").write_text("1048576\n", encoding="ascii")
    kernel_limits.raise_limits(tmp_path)
    assert (tmp_path / "max_user_instances").read_text(encoding="ascii") == "1024\n"
    assert (tmp_path / "max_user_watches").read_text(encoding="ascii") == "1048576\n"


def test_limit_that_may_not_be_raised_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "max_user_instances").write_text("128\n", encoding="ascii")

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", refuse)
    kernel_limits.raise_limits(tmp_path)
    assert "sudo sysctl fs.inotify.max_user_instances=1024" in capsys.readouterr().err
