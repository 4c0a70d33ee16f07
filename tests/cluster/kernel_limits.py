"""Limits of the kernel that a few nodes on one machine reach: file watches are counted per user, not per container."""

from pathlib import Path

from cluster import console

DIRECTORY = Path("/proc/sys/fs/inotify")
WANTED = {"max_user_instances": 1024, "max_user_watches": 524_288}
"""About 15 instances per node; many systems allow 128 in all, and the next systemd does not start."""


def raise_limits(directory: Path = DIRECTORY) -> None:
    """Raise what is too low, until the next boot; where that is not allowed, say what to ask for."""
    for name, wanted in WANTED.items():
        path = directory / name
        if not path.is_file() or int(path.read_text(encoding="ascii")) >= wanted:
            continue
        try:
            path.write_text(f"{wanted}\n", encoding="ascii")
        except OSError:
            console.say(f"fs.inotify.{name} is low; when a node does not start: sudo sysctl fs.inotify.{name}={wanted}")
        else:
            console.say(f"raised fs.inotify.{name} to {wanted}: every node takes some")
