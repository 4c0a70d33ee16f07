import pytest

from cluster import errors
from releasing.images import debian

URIS = "".join(
    f"'http://mirror/pool/{file}' {file} 100 SHA256:{letter * 64}\n"
    for file, letter in (
        ("python3.13-minimal_3.13.5-2_arm64.deb", "a"),
        ("zlib1g_1%3a1.3.1_arm64.deb", "b"),
        ("perl-base_5.40.1-6_arm64.deb", "c"),
    )
)
CHOSEN = debian.chosen(URIS, debian.PYTHON)
LOCKED = debian.written(debian.PYTHON, "arm64", CHOSEN)


def test_packages_are_read_from_the_names_of_their_files() -> None:
    python, zlib = CHOSEN
    assert (python.name, python.version, python.architecture) == ("python3.13-minimal", "3.13.5-2", "arm64")
    assert (zlib.version, zlib.sha256) == ("1:1.3.1", "b" * 64)


def test_packages_that_only_installing_needs_are_left_out() -> None:
    assert "perl-base" not in {package.name for package in CHOSEN}


def test_only_the_package_that_is_needed_is_kept() -> None:
    selection = debian.Selection("headers", ("zlib1g",), only=frozenset({"zlib1g"}))
    assert [package.name for package in debian.chosen(URIS, selection)] == ["zlib1g"]


def test_packages_that_the_commit_names_are_accepted() -> None:
    others = debian.written(debian.PYTHON, "amd64", CHOSEN[:1]) + debian.written(debian.RUNTIME, "arm64", CHOSEN[:1])
    debian.require_locked(others + LOCKED, debian.PYTHON, "arm64", CHOSEN)


@pytest.mark.parametrize(
    "locked",
    [LOCKED.replace("b" * 64, "d" * 64), LOCKED.replace("1:1.3.1", "1:1.3.0"), LOCKED.splitlines(keepends=True)[0]],
    ids=["another file", "another version", "one more package"],
)
def test_package_that_the_commit_does_not_name_stops_the_release(locked: str) -> None:
    with pytest.raises(errors.ClusterError, match=r"arm64.*\(zlib1g\): run `make lock`"):
        debian.require_locked(locked, debian.PYTHON, "arm64", CHOSEN)


def test_lock_file_names_packages_for_every_selection_and_architecture() -> None:
    locked = debian.LOCKED.read_text(encoding="utf-8")
    for selection in debian.SELECTIONS:
        for architecture in selection.architectures:
            named = {line.split()[2] for line in debian.lines_of(locked, selection, architecture).splitlines()}
            assert set(selection.wanted) <= named
            assert not named & selection.left_out


def test_runtime_has_the_same_python_as_the_layer_below_it() -> None:
    locked = debian.LOCKED.read_text(encoding="utf-8")
    for architecture in debian.ARCHITECTURES:
        below, whole = (
            {tuple(line.split()[2:]) for line in debian.lines_of(locked, selection, architecture).splitlines()}
            for selection in (debian.PYTHON, debian.RUNTIME)
        )
        assert below <= whole
