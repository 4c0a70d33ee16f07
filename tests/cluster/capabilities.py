"""Linux capabilities this machine cannot grant, and a container runtime that does not ask for them.

A `--privileged` container asks for every capability; engines before 23 insist, and fail on machines whose bounding
set lacks one (as in some virtual machines and nested containers). The wrapper takes those out of the container's
specification before runc reads it.
"""

import re
import shlex
from pathlib import Path

NAMES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"),
    *(
        "SETPCAP",
        "LINUX_IMMUTABLE",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_ADMIN",
        "NET_RAW",
        "IPC_LOCK",
        "IPC_OWNER",
    ),
    *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"),
    "CHECKPOINT_RESTORE",
)
"""In the order of their bits, as in linux/capability.h."""


def missing(status: str) -> tuple[str, ...]:
    """The capabilities absent from the bounding set in the text of /proc/self/status, as `CAP_NAME`."""
    found = re.search(r"^CapBnd:\s*([0-9a-f]+)", status, re.MULTILINE)
    bits = int(found[1], 16) if found else ~0
    return tuple(f"CAP_{name}" for bit, name in enumerate(NAMES) if not bits >> bit & 1)


def missing_here() -> tuple[str, ...]:
    """The capabilities this process, and so an engine it starts, cannot grant."""
    return missing(Path("/proc/self/status").read_text(encoding="ascii"))


def wrapper(runc: str, without: tuple[str, ...]) -> str:
    """A shell script that stands in for `runc` and removes `without` from specifications."""
    edits = " ".join(f'-e \'s/"{name}",//g; s/,"{name}"//g; s/\\["{name}"\\]/[]/g\'' for name in without)
    return f"""#!/bin/sh
# Stands in for runc on a machine that cannot grant {", ".join(without)}.
specification= previous=
for word in "$@"; do
    case $previous in
    --bundle | -b) specification=$word/config.json ;;
    --process | -p) specification=$word ;;
    esac
    case $word in
    --bundle=*) specification=${{word#*=}}/config.json ;;
    --process=*) specification=${{word#*=}} ;;
    esac
    previous=$word
done
if [ -f "$specification" ]; then
    sed -i {edits} "$specification"
fi
exec {shlex.quote(runc)} "$@"
"""
