"""Stands in for an API server: lists in pages, watches that stay open, writes that are taken and forgotten.

`python -m performance.footprint.stand_in <nodes> <running on each> <foreign>` prints its port; `POST /events/<count>`
sends so many news of foreign pods to whoever watches pods, and answers when the last one is written.
"""

import http.server
import itertools
import json
import sys
import threading
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from neuronspan import names
from performance.footprint import contents
from performance.planner import scenes

_SECONDS_PER_BOOKMARK = 30.0
_VERSIONS = itertools.count(10)


class Watches:
    """The open streams of pods."""

    def __init__(self) -> None:
        self.pods: set[Handler] = set()
        self.lock = threading.Lock()

    def send(self, count: int, scene: scenes.Scene) -> None:
        """Tell of so many changes of foreign pods."""
        for number in range(count):
            index = number % scene.foreign
            version = next(_VERSIONS)
            pod = scenes.foreign_pod(index, scenes.node_name(index % scene.nodes), version=version)
            with self.lock:
                for stream in self.pods:
                    stream.chunk({"type": "MODIFIED", "object": pod})


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection; many requests."""

    protocol_version = "HTTP/1.1"
    stored: contents.Contents
    watches: Watches

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """List, watch, or say that there is no such object."""
        address = urllib.parse.urlsplit(self.path)
        query = {name: values[0] for name, values in urllib.parse.parse_qs(address.query).items()}
        plural = address.path.rpartition("/")[2]
        if address.path in _DISCOVERY:
            self._answer(200, _DISCOVERY[address.path])
        elif query.get("watch"):
            self._watch(plural)
        elif plural in _COLLECTIONS:
            start = int(query.get("continue", 0))
            page = self.stored.page(plural, start, int(query.get("limit", 0)))
            metadata = {"resourceVersion": "9", "continue": str(page.following or "")}
            self._answer(200, {"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": page.items})
        else:
            self._answer(404, {"kind": "Status", "code": 404, "reason": "NotFound", "message": f"no {address.path}"})

    def do_POST(self) -> None:
        """Take an object, or send events."""
        body = self._body()
        _, _, count = self.path.partition("/events/")
        if count.isdecimal():
            self.watches.send(int(count), self.stored.scene)
        self._answer(201, body)

    def do_PUT(self) -> None:
        """Take an object."""
        self._answer(200, self._body())

    def do_PATCH(self) -> None:
        """Take a patch, and show it as if it were all there is of the object."""
        name = self.path.split("?")[0].removesuffix("/status").rpartition("/")[2]
        body = self._body()
        known = scenes.pool() if name == scenes.POOL else {"metadata": {"name": name, "uid": name}}
        patch = body if isinstance(body, dict) else {}
        self._answer(200, {**known, **patch, "metadata": {**known["metadata"], **patch.get("metadata", {})}})

    def chunk(self, event: Any) -> None:
        """Send one event of a stream."""
        text = json.dumps(event).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))

    def _watch(self, plural: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with self.watches.lock:
            if plural == "pods":
                self.watches.pods.add(self)
        while True:
            bookmark = {"kind": "Bookmark", "metadata": {"resourceVersion": str(next(_VERSIONS))}}
            with self.watches.lock:
                self.chunk({"type": "BOOKMARK", "object": bookmark})
            time.sleep(_SECONDS_PER_BOOKMARK)  # a stream is open for as long as the process lives

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")

    def _answer(self, status: int, body: Any) -> None:
        if isinstance(body, dict) and "metadata" in body and body.get("kind") != "List":
            body["metadata"]["resourceVersion"] = str(next(_VERSIONS))
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


_POOLS = {"name": "neuronpools", "singularName": "neuronpool", "kind": "NeuronPool", "namespaced": False}
_VERSION = {"groupVersion": names.API_VERSION, "version": names.VERSION}
_DISCOVERY: Mapping[str, Any] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
    "/apis": {
        "kind": "APIGroupList",
        "groups": [{"name": names.GROUP, "versions": [_VERSION], "preferredVersion": _VERSION}],
    },
    f"/apis/{names.API_VERSION}": {
        "kind": "APIResourceList",
        "groupVersion": names.API_VERSION,
        "resources": [
            {**_POOLS, "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"]},
            {**_POOLS, "name": "neuronpools/status", "verbs": ["get", "patch", "update"]},
        ],
    },
}
_COLLECTIONS = frozenset(
    {
        *("pods", "nodes", "namespaces", "neuronnodes", "neuronpools", "persistentvolumeclaims", "persistentvolumes"),
        *("storageclasses", "csinodes", "csidrivers", "csistoragecapacities", "volumeattachments", "events"),
        *("poddisruptionbudgets", "priorityclasses"),
    }
)


def main() -> None:
    """Serve until killed."""
    nodes, running, foreign = map(int, sys.argv[1:])
    Handler.stored = contents.Contents(scenes.Scene(nodes, running, foreign))
    Handler.watches = Watches()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
