import pytest

from cluster import go_modules, go_toolchain, tools

GO_MOD = """\
module neuronspan.dev/cluster/x

go 1.26.0

require k8s.io/kubernetes v1.36.3

require (
	k8s.io/api v0.36.3 // indirect
	k8s.io/api/extra v9.9.9 // indirect
)
"""


@pytest.mark.parametrize(
    ("module", "version"), [("k8s.io/kubernetes", "v1.36.3"), ("k8s.io/api", "v0.36.3"), ("k8s.io/api/extra", "v9.9.9")]
)
def test_required_version_is_read_from_go_mod(module: str, version: str) -> None:
    assert go_modules.required_version(GO_MOD, module) == version


def test_required_version_names_a_module_that_is_not_there() -> None:
    with pytest.raises(LookupError, match=r"requires no k8s\.io/a"):
        go_modules.required_version(GO_MOD, "k8s.io/a")


@pytest.mark.parametrize("module", [*go_modules.MODULES, *go_modules.ASIDE], ids=lambda module: module.name)
def test_every_module_is_pinned_with_checksums(module: go_modules.GoModule) -> None:
    assert "\ngo 1.26.0\n" in module.go_mod
    foreign = [package for package in module.programs.values() if not package.startswith("neuronspan.dev/")]
    assert (module.directory / "go.sum").is_file() == bool(foreign)
    assert all(f"tool {package}\n" in module.go_mod or f"\t{package}\n" in module.go_mod for package in foreign)


def test_staging_modules_follow_the_version_of_kubernetes() -> None:
    module = go_modules.MODULES[0]
    library = "v0." + go_modules.kubernetes_version().removeprefix("v1.")
    replaced = [line.split() for line in module.go_mod.splitlines() if "=>" in line]
    assert len(replaced) == 33
    assert {(words[0] == words[2], words[3]) for words in replaced} == {(True, library)}


def test_kubernetes_is_stamped_with_its_version_and_others_are_not() -> None:
    stamps = go_modules.kubernetes_stamps("v1.36.3")
    assert "k8s.io/component-base/version.gitVersion=v1.36.3" in stamps
    assert "k8s.io/component-base/version.gitMinor=36" in stamps
    assert [module.name for module in go_modules.MODULES if module.stamps] == ["kubernetes"]


@pytest.mark.parametrize(
    ("package", "name"),
    [("go.etcd.io/etcd/server/v3", "server"), ("sigs.k8s.io/kind", "kind"), ("helm.sh/helm/v3/cmd/helm", "helm")],
)
def test_binary_name_is_the_one_go_gives(package: str, name: str) -> None:
    assert go_modules.binary_name(package) == name


@pytest.mark.parametrize(
    ("text", "version"),
    [("go1.26.8\n", (1, 26)), ("go1.24", (1, 24)), ("go2:1.24~2", (0, 0)), ("devel", (0, 0)), ("", (0, 0))],
)
def test_go_version_is_parsed(text: str, version: tuple[int, int]) -> None:
    assert go_toolchain.parse_version(text) == version


def test_counter_counts_packages_and_not_remarks() -> None:
    counter = tools.PackageCounter(10)
    assert "Go's cache" in counter.sentence()
    for line in ("go: downloading x v1\n", "# remark\n", "\n", "k8s.io/api/core/v1\n", "k8s.io/api/apps/v1\n"):
        counter.see(line)
    assert counter.sentence() == "2 of at most 10 packages compiled, now at k8s.io/api/apps/v1"
