"""Where everything is: the checkout's files and the places in the cache, all as functions of two roots."""

import dataclasses
from pathlib import Path

from cluster import environment

SOURCE = Path(__file__).resolve().parent
CHECKOUT = SOURCE.parent.parent
MODULES = SOURCE / "modules"
ASSETS = SOURCE / "assets"


@dataclasses.dataclass(frozen=True)
class Cache:
    """The cache directory; every property is a path below it and nothing here touches the disk."""

    root: Path

    @property
    def tools(self) -> Path:
        """One directory per set of tools, `<key>/bin/<tool>`, and per module they were built from."""
        return self.root / "tools"

    @property
    def go(self) -> Path:
        """A Go toolchain of our own, where the machine has none."""
        return self.root / "go"

    @property
    def images(self) -> Path:
        """Docker archives: base image and node image by key."""
        return self.root / "images"

    @property
    def engine(self) -> Path:
        """What an engine that we start needs: configuration and runtime wrapper."""
        return self.root / "engine"

    @property
    def engine_log(self) -> Path:
        """What that engine says."""
        return self.root / "dockerd.log"

    @property
    def environments(self) -> Path:
        """Python virtual environments by key."""
        return self.root / "venv"

    def log(self, name: str) -> Path:
        """The log of one long step."""
        return self.root / "logs" / f"{name}.log"

    def lock(self, name: str) -> Path:
        """The lock file of one thing to make."""
        return self.root / "locks" / f"{name}.lock"

    def cluster(self, name: str) -> Path:
        """What belongs to one cluster: kubeconfig and the record of how it was made."""
        return self.root / name

    def kubeconfig(self, name: str) -> Path:
        """The cluster's admin kubeconfig."""
        return self.cluster(name) / "kubeconfig"


def cache() -> Cache:
    """The cache of this user."""
    return Cache(environment.cache_home())
