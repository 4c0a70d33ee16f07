"""Debian packages of any architecture, unpacked into a directory: nothing of them is run, so any machine can do it.

Law: apt checks signatures and hashes; the exact files are listed, and the listing is part of the provenance.
"""

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster import archive, base_image, process, root_filesystem

WANTED = (
    "base-files",
    "ca-certificates",
    "libpython3.13-stdlib",
    "libstdc++6",
    "netbase",
    "python3.13-minimal",
    "tzdata",
)
LEFT_OUT = frozenset({"debconf", "dpkg", "libcrypt1", "openssl", "perl-base", "readline-common", "tar"})
"""What only the scripts of an installation call; no program of the image is linked with them."""
APT_SECONDS = 600.0
_PASSWD = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/nonexistent:/sbin/nologin\n"
_GROUP = "root:x:0:\nnonroot:x:65532:\n"


@dataclasses.dataclass(frozen=True, order=True)
class Package:
    """One package file as apt chose it."""

    name: str
    version: str
    architecture: str
    file: str
    sha256: str


def chosen(hashes: Mapping[str, str]) -> tuple[Package, ...]:
    """Return the packages among files with their sha256, without those that an image does not need. Pure."""
    found = []
    for file, sha256 in hashes.items():
        name, version, rest = file.split("_")
        if name not in LEFT_OUT:
            found.append(Package(name, version.replace("%3a", ":"), rest.removesuffix(".deb"), file, sha256))
    return tuple(sorted(found))


def download(directory: Path, architecture: str) -> tuple[Package, ...]:
    """Fetch the packages of one architecture into ``directory``; return which they are."""
    options = _options(directory, architecture)
    process.run(["apt-get", *options, "-qq", "update"], timeout=APT_SECONDS)
    install = ["apt-get", *options, "-qq", "--yes", "--no-install-recommends", "--download-only", "install"]
    process.run([*install, *WANTED], timeout=APT_SECONDS)
    files = (directory / "cache/archives").glob("*.deb")
    return chosen({path.name: archive.digest_of(path) for path in files})


def unpack(tree: Path, archives: Path, packages: Sequence[Package]) -> None:
    """Fill ``tree`` with the packages' files, and say for scanners which packages they are."""
    for name in ("bin", "sbin", "lib", "lib64"):
        (tree / "usr" / name).mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(f"usr/{name}")
    stated = tree / "var/lib/dpkg/status.d"
    stated.mkdir(parents=True)
    for package in packages:
        path = archives / package.file
        process.run(["dpkg-deb", "--extract", str(path), str(tree)], timeout=APT_SECONDS)
        (stated / package.name).write_text(
            process.run(["dpkg-deb", "--field", str(path)], timeout=60), encoding="utf-8"
        )
    _finish(tree)


def _options(directory: Path, architecture: str) -> list[str]:
    for name in ("state/lists/partial", "cache/archives/partial"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    (directory / "status").touch()
    base = base_image.ensure_tree()
    settings = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "Dir::State": directory / "state",
        "Dir::State::status": directory / "status",
        "Dir::Cache": directory / "cache",
        "Dir::Etc::sourcelist": base / "etc/apt/sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::trustedparts": base / "etc/apt/trusted.gpg.d",
        "APT::Sandbox::User": "root",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _finish(tree: Path) -> None:
    """What the packages' scripts would have done, as far as the image needs it."""
    for pattern in root_filesystem.EXCLUDED:
        for path in tree.glob(pattern.removeprefix("/")):
            if path.is_dir() and (path / "copyright").is_file():
                for entry in path.iterdir():
                    if entry.name != "copyright":
                        root_filesystem.remove(entry)
            else:
                root_filesystem.remove(path)
    certificates = sorted((tree / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    (tree / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
    bundle = "".join(path.read_text(encoding="ascii") for path in certificates)
    (tree / "etc/ssl/certs/ca-certificates.crt").write_text(bundle, encoding="ascii")
    (tree / "etc/passwd").write_text(_PASSWD, encoding="ascii")
    (tree / "etc/group").write_text(_GROUP, encoding="ascii")
    (tree / "usr/bin/python3").symlink_to("python3.13")
    (tree / "tmp").mkdir(exist_ok=True)
    (tree / "tmp").chmod(0o1777)
    shutil.rmtree(tree / "var/cache", ignore_errors=True)
