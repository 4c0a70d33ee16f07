"""Debian root file systems made on this machine: what images are, where none can be pulled.

Law: a directory tree is worked on in a mount and process namespace of its own, so nothing stays mounted or running
when we are interrupted.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from cluster import console, disk, environment, errors, packages, process

SUITE = "trixie"
BYTES_NEEDED = 4_000_000_000
SECONDS = 1200.0
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "TMPDIR": "/tmp"}  # noqa: S108 - apt's default
EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/lintian/*")
"""What images do without; a file of dpkg keeps packages installed later from bringing it back."""


def bootstrap(tree: Path, log: Path) -> None:
    """Fill `tree` with a minimal Debian that trusts the usual certificate authorities."""
    if not environment.is_root():
        raise errors.NotRoot("making a Debian root file system")
    disk.need("making the images", tree.parent, BYTES_NEEDED)
    packages.need("debootstrap", "debootstrap")
    mirror = environment.value("NEURONSPAN_DEBIAN_MIRROR")
    command = ["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(tree)]
    with console.Step(f"base image: Debian {SUITE}") as step:
        process.logged(
            [*command, mirror] if mirror else command,
            log,
            timeout=SECONDS,
            alive=lambda: step.progress("installing packages"),
            variables=environment.variables(**QUIET),
        )
        slim(tree)


def slim(tree: Path) -> None:
    """Remove documentation, translations, package lists and what belongs to this machine."""
    rules = "".join(f"path-exclude={pattern}\n" for pattern in EXCLUDED) + "path-include=/usr/share/doc/*/copyright\n"
    (tree / "etc/dpkg/dpkg.cfg.d/no-documentation").write_text(rules, encoding="ascii")
    apt = 'APT::Install-Recommends "false";\nAcquire::Languages "none";\n'
    (tree / "etc/apt/apt.conf.d/no-extras").write_text(apt, encoding="ascii")
    for pattern in EXCLUDED:
        for path in tree.glob(pattern.removeprefix("/")):
            _remove_but_copyright(path)
    clean(tree)


def clean(tree: Path) -> None:
    """Remove package caches, logs, and the devices and name servers that every container gets from its engine."""
    for pattern in ("var/lib/apt/lists/*", "var/cache/apt/*", "var/cache/debconf/*-old", "var/log/*", "dev/*", "tmp/*"):
        for path in tree.glob(pattern):
            remove(path)
    for name in ("etc/resolv.conf", "etc/hostname"):
        remove(tree / name)


def install(tree: Path, names: Sequence[str], log: Path) -> None:
    """Install Debian packages into `tree`; no service is started."""
    shutil.copy("/etc/resolv.conf", tree / "etc/resolv.conf")
    script = "apt-get update && apt-get install --yes --no-install-recommends " + " ".join(names)
    with console.Step("node image: Debian packages") as step:
        inside(tree, ["sh", "-ec", script], log, lambda: step.progress("installing packages"))


def inside(tree: Path, command: Sequence[str], log: Path, alive: process.Alive) -> None:
    """Run `command` with `tree` as its root, its own processes and its own mounts."""
    script = 'mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; exec chroot "$0" "$@"'
    process.logged(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", script, tree, *command],
        log,
        timeout=SECONDS,
        alive=alive,
        variables=environment.variables(PATH="/usr/sbin:/usr/bin:/sbin:/bin", **QUIET),
    )


def remove(path: Path) -> None:
    """Remove a file, link, device or directory, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_but_copyright(path: Path) -> None:
    if path.name == "copyright":
        return
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    for entry in list(path.iterdir()):
        _remove_but_copyright(entry)
    if not any(path.iterdir()):
        path.rmdir()
