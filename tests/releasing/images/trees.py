"""Debian packages as directory trees: unpacked, and finished as far as their scripts would have done what images need.

Law: no script and no program of a package is run.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from cluster import process, root_filesystem
from releasing.images import debian

UNPACK_SECONDS = 600.0
TESTED = ("sympy", "fsspec", "mpmath", "psutil")
"""Python packages with many tests in them."""
_PASSWD = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/nonexistent:/sbin/nologin\n"
_GROUP = "root:x:0:\nnonroot:x:65532:\n"


def unpack(tree: Path, archives: Path, packages: Iterable[debian.Package]) -> None:
    """Fill ``tree`` with the packages' files but documentation, and say for scanners which packages they are."""
    for name in ("bin", "sbin", "lib", "lib64"):
        (tree / "usr" / name).mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(f"usr/{name}")
    stated = tree / "var/lib/dpkg/status.d"
    stated.mkdir(parents=True)
    for package in packages:
        path = archives / package.file
        process.run(["dpkg-deb", "--extract", str(path), str(tree)], timeout=UNPACK_SECONDS)
        said = process.run(["dpkg-deb", "--field", str(path)], timeout=60)
        (stated / package.name).write_text(said, encoding="utf-8")
    _without_documentation(tree)
    shutil.rmtree(tree / "var/cache", ignore_errors=True)


def finish_base(tree: Path) -> None:
    """Give the lowest layer its certificates, users, Python's usual name and a directory for temporary files."""
    certificates = sorted((tree / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    (tree / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
    bundle = "".join(path.read_text(encoding="ascii") for path in certificates)
    (tree / "etc/ssl/certs/ca-certificates.crt").write_text(bundle, encoding="ascii")
    (tree / "etc/passwd").write_text(_PASSWD, encoding="ascii")
    (tree / "etc/group").write_text(_GROUP, encoding="ascii")
    (tree / "usr/bin/python3").symlink_to("python3.13")
    (tree / "tmp").mkdir(exist_ok=True)
    (tree / "tmp").chmod(0o1777)


def finish_openblas(tree: Path) -> None:
    """Make OpenBLAS the linear algebra of the tree: what `update-alternatives` does where packages are installed."""
    (directory,) = tree.glob("usr/lib/*/openblas-openmp")
    for name in ("libblas.so.3", "liblapack.so.3", "libopenblas.so.0"):
        (directory.parent / name).symlink_to(f"{directory.name}/{name}")


def without_tests(tree: Path) -> None:
    """Remove the tests that torch and what it is made with bring: the Dockerfile removes the same."""
    packages = tree / "usr/lib/python3/dist-packages"
    for path in (packages / "torch/bin").iterdir():
        if path.name != "torch_shm_manager":
            root_filesystem.remove(path)
    for name in TESTED:
        for path in sorted((packages / name).rglob("tests")):
            root_filesystem.remove(path)


def readable(tree: Path) -> None:
    """Give files the modes that everybody can use, whatever they were made with; executables stay so."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _without_documentation(tree: Path) -> None:
    for pattern in root_filesystem.EXCLUDED:
        for path in tree.glob(pattern.removeprefix("/")):
            if path.is_dir() and (path / "copyright").is_file():
                for entry in path.iterdir():
                    if entry.name != "copyright":
                        root_filesystem.remove(entry)
            else:
                root_filesystem.remove(path)
