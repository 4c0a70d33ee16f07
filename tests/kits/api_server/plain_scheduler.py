"""The real kube-scheduler as a host process, as clusters run it: every pod of the default name is its own."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from typing import Any

from kits.api_server import control_plane as control_plane_kit

CALLS_PER_SECOND = 5000.0
"""Its client's limit: with the default of 50 nothing else would be measured. scheduler_perf of Kubernetes raises it."""


@contextlib.contextmanager
def running(plane: control_plane_kit.ControlPlane) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a kube-scheduler with its default plugins; it says nothing when it is ready, but schedules."""
    binary = control_plane_kit.find_tool("kube-scheduler")
    path = plane.directory / "kube-scheduler.yaml"
    path.write_text(json.dumps(_configuration(plane)))  # JSON is YAML
    command = [binary, f"--config={path}", "--secure-port=0"]  # it serves nothing: probes and metrics are not asked
    with control_plane_kit.process("kube-scheduler", command, plane.directory) as started:
        yield started


def _configuration(plane: control_plane_kit.ControlPlane) -> dict[str, Any]:
    connection = {"kubeconfig": plane.kubeconfig, "qps": CALLS_PER_SECOND, "burst": int(CALLS_PER_SECOND)}
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": connection,
        "leaderElection": {"leaderElect": False},
    }
