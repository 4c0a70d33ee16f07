"""A running kind cluster by its name: its nodes, its API, its record of how it was made."""

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cluster import errors, layout, process, tools

ASK_SECONDS = 60.0
POLL_SECONDS = 0.3
Answer = TypeVar("Answer")


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Names of things; asking for them runs docker, kind or kubectl."""

    name: str

    @property
    def kubeconfig(self) -> Path:
        """The admin kubeconfig."""
        return layout.cache().kubeconfig(self.name)

    @property
    def record(self) -> Path:
        """How the cluster was made; written when it was complete."""
        return layout.cache().cluster(self.name) / "made-from.json"

    def exists(self) -> bool:
        """Whether kind knows the cluster, complete or not."""
        return self.name in names()

    def require(self) -> None:
        """NoCluster when kind does not know it."""
        if not self.exists():
            raise errors.NoCluster(self.name)

    def kubectl(self, *words: str, timeout: float = ASK_SECONDS, stdin: bytes | None = None) -> str:
        """Run kubectl against the cluster."""
        command: list[str | Path] = [tools.program("kubectl"), "--kubeconfig", self.kubeconfig, *words]
        return process.run(command, timeout=timeout, stdin=stdin)

    def json(self, *words: str) -> Any:
        """The parsed answer of `kubectl get ... --output json`."""
        return json.loads(self.kubectl("get", *words, "--output", "json"))

    def nodes(self) -> tuple[str, ...]:
        """The nodes' containers, control plane first."""
        return tuple(sorted(kind("get", "nodes", "--name", self.name).split()))

    def on_node(self, node: str, *command: str, timeout: float = ASK_SECONDS, stdin: bytes | Path | None = None) -> str:
        """Run a command inside a node."""
        interactive = ["--interactive"] if stdin is not None else []
        return process.run(["docker", "exec", *interactive, node, *command], timeout=timeout, stdin=stdin)


def containers(name: str) -> tuple[str, ...]:
    """The containers of a cluster by the label kind gives them, whether they run or not."""
    selector = f"label=io.x-k8s.kind.cluster={name}"
    return tuple(process.run(["docker", "ps", "--all", "--quiet", "--filter", selector], timeout=ASK_SECONDS).split())


def names() -> tuple[str, ...]:
    """The clusters that exist on this engine."""
    return tuple(kind("get", "clusters").split())


def kind(*words: str, timeout: float = ASK_SECONDS) -> str:
    """Run kind."""
    return process.run([tools.program("kind"), *words], timeout=timeout)


def wait_for(ask: Callable[[], Answer | None], seconds: float, what: str) -> Answer:
    """Poll until `ask` answers something; an API that does not answer yet is no answer."""
    end = time.monotonic() + seconds
    reason = ""
    while time.monotonic() < end:
        try:
            answer = ask()
        except errors.CommandFailed as error:
            answer, reason = None, f": {error}"
        if answer:
            return answer
        time.sleep(POLL_SECONDS)  # one question through kubectl, whatever it is about: not all of them can be watched
    raise errors.ClusterError(f"{what} did not happen within {seconds:.0f} s{reason}")
