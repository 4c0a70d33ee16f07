"""The real kube-scheduler as a host process, asked which nodes it would allow: nothing is ever bound.

An extender, which the scheduler calls once a pod has passed all its own filters, gets exactly the nodes that passed and
answers that none will do. So one attempt tells the verdict of every node, and pods do not influence each other.
Where no node passed the extender is not called; the pod's ``PodScheduled`` condition says so and why, node by node.
"""

import contextlib
import dataclasses
import http.server
import json
import pathlib
import re
import threading
from collections.abc import Iterator
from typing import Any, Final

from kits.api_server import control_plane

FILTERS: Final = "filters"
"""Name of the scheduler that answers which nodes pass the filters."""
SCORES: Final = "scores"
"""Name of the scheduler that goes on to score the nodes that pass, and then fails to bind: one pod at a time."""
PASSED: Final = "passed all filters"
"""What the condition counts for nodes that passed, besides the scheduler's own words."""

_OTHER_SCORES: Final = (
    "NodeResourcesFit",
    "NodeResourcesBalancedAllocation",
    "ImageLocality",
    "VolumeBinding",
    "DynamicResources",
)
_SCORE_LINE: Final = re.compile(
    r'"Plugin scored node for pod" pod="(?P<pod>[^"]+)" plugin="(?P<plugin>[^"]+)" node="(?P<node>[^"]+)" '
    r"score=(?P<score>-?[0-9]+)"
)


@dataclasses.dataclass
class Scheduler:
    """A running kube-scheduler, and what its extender has been asked."""

    directory: pathlib.Path
    passed: dict[str, frozenset[str]] = dataclasses.field(default_factory=dict)  # nodes by pod UID, of the last attempt
    _log_read: int = 0

    def scores(self, pod: str) -> dict[str, dict[str, int]]:
        """Return the weighted scores of a pod (namespace/name) by node and plugin, as far as the log has been read.

        Each pod can be asked for once, and what the log says of pods before it is forgotten.
        """
        found: dict[str, dict[str, int]] = {}
        with (self.directory / "kube-scheduler.log").open("rb") as log:
            log.seek(self._log_read)
            for line in log:
                match = _SCORE_LINE.search(line.decode(errors="replace"))
                if match and match["pod"] == pod:
                    found.setdefault(match["node"], {})[match["plugin"]] = int(match["score"])
            self._log_read = log.tell()
        return found


@contextlib.contextmanager
def running(plane: control_plane.ControlPlane) -> Iterator[Scheduler]:
    """Start kube-scheduler beside this API server, with its extender; stop both at the end."""
    binary = control_plane.find_tool("kube-scheduler")
    scheduler = Scheduler(plane.directory)
    with (
        _extender(scheduler) as url,
        control_plane.process("kube-scheduler", _command(binary, plane, url), plane.directory),
    ):
        yield scheduler


def _command(binary: str, plane: control_plane.ControlPlane, extender: str) -> list[str]:
    (port,) = control_plane.free_ports(1)
    path = plane.directory / "scheduler-configuration"
    path.write_text(json.dumps(_configuration(plane.kubeconfig, extender)))
    return [
        binary,
        f"--config={path}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={plane.directory / 'scheduler-certificates'}",
        "--vmodule=schedule_one=10",  # the only place where scores are told
        "--feature-gates=SchedulerPopFromBackoffQ=false",
    ]


def _configuration(kubeconfig: str, extender: str) -> dict[str, Any]:
    no_preemption = {"postFilter": {"disabled": [{"name": "*"}]}}  # it would go on where the filters end
    scores_only = {**no_preemption, "score": {"disabled": [{"name": name} for name in _OTHER_SCORES]}}
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": kubeconfig, "qps": 5000, "burst": 5000},
        "leaderElection": {"leaderElect": False},
        "percentageOfNodesToScore": 100,
        # one attempt is enough: the second one has nothing new to say
        "podInitialBackoffSeconds": 600,
        "podMaxBackoffSeconds": 600,
        "profiles": [
            {"schedulerName": FILTERS, "plugins": no_preemption},
            {"schedulerName": SCORES, "plugins": scores_only},
        ],
        "extenders": [
            {
                "urlPrefix": extender,
                "filterVerb": "filter",
                "bindVerb": "bind",
                "nodeCacheCapable": True,
                "httpTimeout": "30s",
            }
        ],
    }


# --- the extender ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _extender(scheduler: Scheduler) -> Iterator[str]:
    class Handler(_Handler):
        told = scheduler

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="extender")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept
    disable_nagle_algorithm = True
    told: Scheduler

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer({"Error": "nothing is bound here"} if self.path == "/bind" else self._filter(asked))

    def _filter(self, asked: dict[str, Any]) -> dict[str, Any]:
        pod, nodes = asked["Pod"], asked["NodeNames"]
        self.told.passed[pod["metadata"]["uid"]] = frozenset(nodes)
        if pod["spec"]["schedulerName"] == SCORES:
            return {"NodeNames": nodes}
        return {"NodeNames": [], "FailedNodes": dict.fromkeys(nodes, PASSED)}

    def _answer(self, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(http.HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the parameter's name in http.server
        """Say nothing."""
