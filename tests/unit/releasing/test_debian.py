from releasing import debian

HASHES = {
    "python3.13-minimal_3.13.5-2_arm64.deb": "a" * 64,
    "zlib1g_1%3a1.3.1_arm64.deb": "b" * 64,
    "perl-base_5.40.1-6_arm64.deb": "c" * 64,
}


def test_packages_are_read_from_the_names_of_their_files() -> None:
    python, zlib = debian.chosen(HASHES)
    assert (python.name, python.version, python.architecture) == ("python3.13-minimal", "3.13.5-2", "arm64")
    assert (zlib.version, zlib.sha256) == ("1:1.3.1", "b" * 64)


def test_packages_that_only_installing_needs_are_left_out() -> None:
    assert "perl-base" not in {package.name for package in debian.chosen(HASHES)}
