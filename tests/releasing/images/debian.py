"""Debian packages of any architecture, chosen by apt and locked in `locked/debian.txt`.

Law: what apt would choose today and what the commit names are the same files, or there is no release.
"""

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path

from cluster import archive, base_image, errors, layout, process

LOCKED = layout.CHECKOUT / "tests/releasing/locked/debian.txt"
ARCHITECTURES = ("amd64", "arm64")
APT_SECONDS = 1200.0
HEADER = """\
# Debian's packages in the images of a release: list, architecture, package, version, sha256, file. By `make lock`.
"""
_URI = re.compile(r"^'\S+' (\S+) \d+ SHA256:([0-9a-f]{64})$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Selection:
    """What is asked of apt, and what of its answer is not needed."""

    name: str
    wanted: tuple[str, ...]
    left_out: frozenset[str] = frozenset()
    architectures: tuple[str, ...] = ARCHITECTURES
    only: frozenset[str] = frozenset()
    """When it is not empty, nothing else of apt's answer is needed."""


SCRIPTS_ONLY = frozenset({"debconf", "dpkg", "libcrypt1", "openssl", "perl-base", "readline-common", "tar"})
"""What only the scripts of an installation call; no program of the images is linked with them."""
PYTHON = Selection(
    "python",
    (
        "base-files",
        "ca-certificates",
        "libpython3.13-stdlib",
        "libstdc++6",
        "netbase",
        "python3.13-minimal",
        "tzdata",
    ),
    SCRIPTS_ONLY,
)
"""Below every image."""
RUNTIME = Selection(
    "runtime",
    (
        *PYTHON.wanted,
        "libopenblas0-openmp",
        "python3-click",
        "python3-prometheus-client",
        "python3-rich",
        "python3-torch",
        # a shell for those who build images on it
        *("bash", "coreutils", "dash", "findutils", "grep", "sed"),
    ),
    SCRIPTS_ONLY - {"libcrypt1"}
    # accounts and logins
    | {"adduser", "base-passwd", "libaudit-common", "libaudit1", "libdebconfclient0", "libpam-modules"}
    | {"libpam-modules-bin", "libpam0g", "libsemanage-common", "libsemanage2", "libsepol2", "login.defs", "passwd"}
    # GPUs and displays, by way of Open MPI's transports and hwloc's plugins
    | {"libamd-comgr2", "libamdhip64-5", "libdrm-amdgpu1", "libdrm-common", "libdrm2", "libedit2", "libelf1t64"}
    | {"libhsa-runtime64-1", "libhsakmt1", "libhwloc-plugins", "libllvm17t64", "libpciaccess0", "libx11-6"}
    | {"libx11-data", "libxau6", "libxcb1", "libxdmcp6", "libxext6", "libxml2", "libxnvctrl0", "libze1"}
    | {"libfuse3-4", "ocl-icd-libopencl1"}
    # torch's own tests and compilers
    | {"libbenchmark1.9.1", "libtorch-test", "python3-hypothesis", "python3-networkx"}
    # names for the default Python
    | {"libpython3-stdlib", "python3", "python3-minimal", "python3.13"},
)
"""Of the runtime's image, in place of what its Dockerfile removes again."""
HEADERS = Selection("headers", ("libtorch-dev",), only=frozenset({"libtorch-dev"}))
"""What the runtime's C++ library is compiled against."""
COMPILERS = Selection("compilers", ("g++-14", "g++-14-aarch64-linux-gnu"), architectures=("amd64",))
"""What compiles it, on the machine that makes the release."""
SELECTIONS = (PYTHON, RUNTIME, HEADERS, COMPILERS)


@dataclasses.dataclass(frozen=True, order=True)
class Package:
    """One package file as apt chose it."""

    name: str
    version: str
    architecture: str
    file: str
    sha256: str


def chosen(uris: str, selection: Selection) -> tuple[Package, ...]:
    """Return the packages in what `apt-get --print-uris install` printed, without those not needed. Pure."""
    found = []
    for file, sha256 in _URI.findall(uris):
        name, version, rest = file.split("_")
        if name not in selection.left_out and name in (selection.only or {name}):
            found.append(Package(name, version.replace("%3a", ":"), rest.removesuffix(".deb"), file, sha256))
    return tuple(sorted(found))


def written(selection: Selection, architecture: str, packages: Iterable[Package]) -> str:
    """Return the lines of the lock file for one list of one architecture. Pure."""
    words = ((selection.name, architecture, each.name, each.version, each.sha256, each.file) for each in packages)
    return "".join(" ".join(each) + "\n" for each in sorted(words))


def lines_of(locked: str, selection: Selection, architecture: str) -> str:
    """Return the same lines of a whole lock file. Pure."""
    mark = f"{selection.name} {architecture} "
    return "".join(line for line in locked.splitlines(keepends=True) if line.startswith(mark))


def require_locked(locked: str, selection: Selection, architecture: str, packages: Iterable[Package]) -> None:
    """Raise ClusterError, with the packages' names, unless they are what the lock file says. Pure."""
    now, then = (
        set(text.splitlines())
        for text in (written(selection, architecture, packages), lines_of(locked, selection, architecture))
    )
    if now != then:
        names = sorted({line.split()[2] for line in now ^ then})
        raise errors.ClusterError(
            f"Debian offers other packages for {architecture} than {LOCKED.name} names ({', '.join(names)}): "
            "run `make lock` and commit what it wrote"
        )


def locked() -> tuple[Package, ...]:
    """Return every package that the lock file names, each once; the files' names as Debian's archive spells them."""
    found = set()
    for line in LOCKED.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            _, _, name, version, sha256, file = line.split()
            found.add(Package(name, version, file.removesuffix(".deb").rpartition("_")[2], file, sha256))
    return tuple(sorted(found))


def lock(work: Path) -> None:
    """Write the lock file anew: what apt chooses today."""
    text = HEADER
    for selection in SELECTIONS:
        for architecture in selection.architectures:
            text += written(selection, architecture, choose(work / architecture, selection, architecture))
    LOCKED.write_text(text, encoding="utf-8")


def choose(directory: Path, selection: Selection, architecture: str) -> tuple[Package, ...]:
    """Return what apt would install for an architecture; ``directory`` keeps its lists from one call to the next."""
    options = _options(directory, architecture)
    if not (directory / "updated").exists():
        process.run(["apt-get", *options, "-qq", "update"], timeout=APT_SECONDS)
        (directory / "updated").touch()
    install = ["apt-get", *options, "-qq", "--yes", "--no-install-recommends", "--print-uris", "install"]
    return chosen(process.run([*install, *selection.wanted], timeout=APT_SECONDS), selection)


def fetch(directory: Path, selection: Selection, architecture: str) -> tuple[Package, ...]:
    """Download the locked packages into `archives` below ``directory``; ClusterError when Debian offers others."""
    packages = choose(directory, selection, architecture)
    require_locked(LOCKED.read_text(encoding="utf-8"), selection, architecture, packages)
    download = ["apt-get", *_options(directory, architecture), "-qq", "download"]
    store = archives(directory)
    absent = [each for each in packages if not (store / each.file).is_file()]
    if absent:
        names = [f"{each.name}:{each.architecture}={each.version}" for each in absent]
        process.run([*download, *names], timeout=APT_SECONDS, directory=store)
    for each in packages:
        if archive.digest_of(store / each.file) != each.sha256:
            raise errors.ClusterError(f"{each.file} is not the file that Debian's index names: download it anew")
    return packages


def archives(directory: Path) -> Path:
    """Return where the package files are."""
    store = directory / "archives"
    store.mkdir(parents=True, exist_ok=True)
    return store


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
        "Acquire::ForceHash": "SHA256",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
