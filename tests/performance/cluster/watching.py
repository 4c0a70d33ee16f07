"""Sees pods being bound: one watch, and the moment at which each pod's node was read from it."""

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Iterable, Iterator

from kits.api_server import control_plane as control_plane_kit

PATIENCE_SECONDS = 300.0


class NotBoundError(Exception):
    """Pods were not bound in time, or the watch broke; the message says which."""


class Watcher:
    """Moments of bindings by pod name, as a thread fills them in."""

    def __init__(self) -> None:
        self._moments: dict[str, float] = {}
        self._changed = threading.Condition()
        self._is_open = True

    def follow(self, answer: http.client.HTTPResponse) -> None:
        """Read the watch until it ends."""
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):  # how a closed connection shows
            while line := answer.readline():
                self._see(line, time.perf_counter())
        with self._changed:
            self._is_open = False
            self._changed.notify_all()

    def _see(self, line: bytes, moment: float) -> None:
        pod = json.loads(line)["object"]
        if pod["spec"].get("nodeName"):
            with self._changed:
                self._moments.setdefault(pod["metadata"]["name"], moment)
                self._changed.notify_all()

    def wait(self, names: Iterable[str], seconds: float = PATIENCE_SECONDS) -> dict[str, float]:
        """Return when each of these pods was bound, as soon as all are. Raises NotBoundError."""
        wanted = set(names)
        with self._changed:
            self._changed.wait_for(lambda: not self._is_open or wanted <= self._moments.keys(), seconds)
            if missing := sorted(wanted - self._moments.keys()):
                raise NotBoundError(f"{len(missing)} of {len(wanted)} pods are not bound, {missing[0]} for one")
            return {name: self._moments[name] for name in wanted}


@contextlib.contextmanager
def pods(plane: control_plane_kit.ControlPlane, namespace: str) -> Iterator[Watcher]:
    """Watch the pods of a namespace that are made from now on."""
    address = urllib.parse.urlsplit(plane.url)
    context = ssl.create_default_context(cafile=plane.authority)
    connection = http.client.HTTPSConnection(str(address.hostname), address.port, context=context)
    path = f"/api/v1/namespaces/{namespace}/pods"
    version = plane.request("GET", f"{path}?limit=1").expect()["metadata"]["resourceVersion"]
    authorization = {"Authorization": f"Bearer {control_plane_kit.ADMIN_TOKEN}"}
    connection.request("GET", f"{path}?watch=1&resourceVersion={version}", headers=authorization)
    watcher = Watcher()
    thread = threading.Thread(target=watcher.follow, args=(connection.getresponse(),))
    thread.start()
    try:
        yield watcher
    finally:
        connection.sock.shutdown(socket.SHUT_RDWR)  # wakes the thread, which waits for the next line
        thread.join()
        connection.close()
