# ruff: noqa: N818 - the names say what is missing, the base class says that it is an error
"""What can stop the cluster tool, one class per way out.

ClusterError
├── NotRoot             a step needs root and we are not
├── NoSpace             the disk has less room than the step takes
├── NoToolchain         no usable Go, and none could be installed
├── NoPython            this Python cannot make the virtual environment
├── EngineUnavailable   no Docker engine answers and none could be started
├── NoCluster           the named cluster does not exist
├── Abandoned           another step failed, so this one is not done
├── NoImage             an image that should be loaded or built upon does not exist
└── CommandFailed       a program ended with an error
    └── CommandTimedOut     a program did not end in its time
"""

from pathlib import Path


class ClusterError(Exception):
    """The root: the command line prints it as one sentence and exits with 1."""


class NotRoot(ClusterError):
    """A step needs root."""

    def __init__(self, step: str) -> None:
        super().__init__(f"{step} needs root: run it with sudo, or as root in a virtual machine or container")


class NoSpace(ClusterError):
    """The disk under `path` has `free` bytes, the step takes `needed`."""

    def __init__(self, step: str, path: Path, free: int, needed: int) -> None:
        super().__init__(
            f"{step} takes about {needed / 1e9:.0f} GB and {path} has {free / 1e9:.1f} GB left: "
            "free some space, or set NEURONSPAN_CACHE to a directory on a larger disk"
        )


class NoToolchain(ClusterError):
    """No usable Go."""


class NoPython(ClusterError):
    """This Python cannot make the virtual environment."""


class EngineUnavailable(ClusterError):
    """No Docker engine answers and none could be started."""


class NoCluster(ClusterError):
    """The named cluster does not exist."""

    def __init__(self, name: str) -> None:
        super().__init__(f"cluster {name} does not exist: create it with `python -m cluster up --name {name}`")


class Abandoned(ClusterError):
    """A step is not done, because one beside it failed: that one has the reason."""

    def __init__(self) -> None:
        super().__init__("not done, because a step beside it failed")


class NoImage(ClusterError):
    """An image that should be loaded or built upon does not exist."""


class CommandFailed(ClusterError):
    """A program ended with an error: its last lines, and where the rest is."""

    def __init__(self, command: str, code: int, tail: str, log: Path | None = None) -> None:
        self.code = code
        self.tail = tail
        rest = f"\nthe whole output: {log}" if log else ""
        super().__init__(f"{command} failed with exit code {code}:\n{tail.rstrip()}{rest}")


class CommandTimedOut(CommandFailed):
    """A program did not end within its time and was stopped."""

    def __init__(self, command: str, seconds: float, tail: str, log: Path | None = None) -> None:
        super().__init__(command, 124, tail, log)
        self.args = (f"{command} was stopped after {seconds:.0f} s without an end; {self.args[0]}",)


class UnknownVersion(ClusterError):
    """A version of Kubernetes that cannot be built here."""
