from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import errors, go_modules, own_programs, process, tools


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("kind v0.33.0 go1.26.8 linux/amd64\n", (0, 33)),
        ("v3.20.2+g1a2b3c4\n", (3, 20)),
        ("Client Version: v1.36.3\nKustomize Version: v5.8.1\n", (1, 36)),
        ("Client Version: v1.32.4-dispatcher\n", (1, 32)),
        ("kind (@kubernetes-sigs/kind) 0.33", (0, 0)),
        ("", (0, 0)),
    ],
)
def test_version_is_read_from_what_the_program_says(text: str, version: tuple[int, int]) -> None:
    assert own_programs.parse_version(text) == version


@pytest.mark.parametrize(
    ("name", "version", "will_do"),
    [
        ("kubectl", (1, 34), False),
        ("kubectl", (1, 35), True),
        ("kubectl", (1, 37), True),
        ("kubectl", (1, 38), False),
        ("helm", (3, 19), False),
        ("helm", (3, 20), True),
        ("helm", (4, 0), False),
        ("kind", (0, 32), False),
        ("kind", (0, 33), True),
        ("kind", (0, 0), False),
    ],
)
def test_range_of_versions_that_will_do(name: str, version: tuple[int, int], will_do: bool) -> None:
    assert (version in own_programs.ranges("v1.36.3")[name]) is will_do


def test_every_pinned_version_is_in_its_range() -> None:
    pinned = {
        "kind": ("kind", "sigs.k8s.io/kind"),
        "helm": ("helm", "helm.sh/helm/v3"),
        "kubectl": ("kubernetes", "k8s.io/kubernetes"),
    }
    ranges = own_programs.ranges(go_modules.kubernetes_version())
    assert pinned.keys() == ranges.keys() == own_programs.COMMANDS.keys()
    for name, (module, path) in pinned.items():
        go_mod = tools.module_of(name).go_mod
        assert tools.module_of(name).name == module
        assert own_programs.parse_version(go_modules.required_version(go_mod, path)) in ranges[name]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A machine with nothing built; programs in the directory that is returned are on its PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("NEURONSPAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    own_programs.find.cache_clear()
    yield programs
    own_programs.find.cache_clear()


def put(directory: Path, name: str, says: str) -> Path:
    """A program that says its version."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="ascii")
    path.chmod(0o755)
    return path


def test_own_program_that_is_new_enough_is_used(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    helm = put(machine, "helm", "v3.21.0+gabc")
    assert tools.program("helm") == tools.program("helm") == helm
    assert capsys.readouterr().err == f"cluster: using {helm} 3.21\n", "it is asked, and told, once"


def test_own_program_that_is_too_old_is_named_and_not_used(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(machine, "kind", "kind v0.20.0 go1.20 linux/amd64")
    assert tools.find("kind") is None
    assert "not using" in capsys.readouterr().err
    with pytest.raises(errors.ClusterError, match="run `make tools`"):
        tools.program("kind")


def test_own_program_that_fails_is_not_used(machine: Path) -> None:
    put(machine, "kubectl", "v1.36.0").write_text("#!/bin/sh\nexit 1\n", encoding="ascii")
    assert tools.find("kubectl") is None


def test_built_program_comes_before_the_machines_own(machine: Path) -> None:
    own = put(machine, "helm", "v3.21.0+gabc")
    assert tools.find("helm") == own
    built = put(tools.module_directory(tools.module_of("helm")), "helm", "v3.20.2")
    assert tools.find("helm") == built


def test_etcd_of_the_machine_is_never_used(machine: Path) -> None:
    put(machine, "etcd", "etcd v3.6.6")
    assert tools.find("etcd") is None


def test_only_what_is_lacking_is_built(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    monkeypatch.setattr(tools, "_build_modules", lambda modules: built.extend(module.name for module in modules))
    put(machine, "helm", "v3.21.0+gabc")
    tools.need("helm")
    assert built == []
    tools.need("kind", "helm", "kubeadm", "kubelet")
    assert built == ["kubernetes", "kind"]


def test_missing_program_is_no_version(monkeypatch: pytest.MonkeyPatch, machine: Path) -> None:
    def gone(*_: object, **__: object) -> str:
        raise FileNotFoundError

    put(machine, "helm", "v3.21.0")
    monkeypatch.setattr(process, "run", gone)
    assert tools.find("helm") is None
