"""Debian packages this machine needs: installed by apt when we may, asked for by name when we may not."""

import re
import shutil
from collections.abc import Sequence

from cluster import console, environment, errors, layout, locking, process

APT_SECONDS = 900


def available() -> bool:
    """Whether apt is here and we may use it."""
    return environment.is_root() and shutil.which("apt-get") is not None


def candidate(package: str) -> str:
    """The version apt would install, without epoch; empty when it knows none."""
    return parse_candidate(process.run(["apt-cache", "policy", package], timeout=60))


def parse_candidate(policy: str) -> str:
    """The candidate in the output of `apt-cache policy`."""
    found = re.search(r"^\s*Candidate: (?:\d+:)?(\S+)", policy, re.MULTILINE)
    return "" if not found or found[1] == "(none)" else found[1]


def need(program: str, package: str) -> str:
    """The path of `program`, after installing `package` when it is missing."""
    found = shutil.which(program)
    if not found:
        install([package])
        found = shutil.which(program)
    if not found:
        raise errors.ClusterError(f"package {package} is installed but brings no program {program}")
    return found


def install(names: Sequence[str]) -> None:
    """Install Debian packages; NotRoot, or a sentence that names them, when we cannot."""
    if not shutil.which("apt-get"):
        raise errors.ClusterError(f"this machine has no apt: install {', '.join(names)} by hand")
    if not environment.is_root():
        raise errors.NotRoot(f"installing {', '.join(names)}")
    log = layout.cache().log("apt")
    variables = environment.variables(DEBIAN_FRONTEND="noninteractive")
    # apt waits for other users of dpkg, but not for those of its package lists
    with locking.exclusive(layout.cache().lock("apt")), console.Step(f"apt: {', '.join(names)}") as step:

        def alive() -> None:
            step.progress(f"still running, log {log}")

        lock = ["-o", "DPkg::Lock::Timeout=300"]
        process.logged(["apt-get", *lock, "update"], log, timeout=APT_SECONDS, alive=alive, variables=variables)
        process.logged(
            ["apt-get", *lock, "install", "--yes", "--no-install-recommends", *names],
            log,
            timeout=APT_SECONDS,
            alive=alive,
            variables=variables,
        )
