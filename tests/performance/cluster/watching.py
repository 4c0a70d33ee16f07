"""Sees pods being bound: a watch in a process of its own, so that reading waits for nothing of the measuring process.

`python -m performance.cluster.watching <url> <authority> <namespace> <resourceVersion>` prints a line for every pod
that it sees bound: its name, and the moment by the clock that all processes of a machine share (`time.monotonic`).
"""

import contextlib
import http.client
import json
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterable, Iterator

from kits.api_server import control_plane as control_plane_kit

PATIENCE_SECONDS = 300.0


class NotBoundError(Exception):
    """Pods were not bound in time, or the watch broke; the message says which pods are missing."""


class Watcher:
    """Moments of bindings by pod name, as the watching process tells them."""

    def __init__(self) -> None:
        self._moments: dict[str, float] = {}
        self._changed = threading.Condition()
        self._is_open = True

    def follow(self, lines: Iterable[str]) -> None:
        """Read what the process prints until it ends."""
        for line in lines:
            name, moment = line.split()
            with self._changed:
                self._moments[name] = float(moment)
                self._changed.notify_all()
        with self._changed:
            self._is_open = False
            self._changed.notify_all()

    def wait(self, names: Iterable[str], seconds: float = PATIENCE_SECONDS) -> dict[str, float]:
        """Return when each of these pods was bound, as soon as all are. Raises NotBoundError."""
        wanted = set(names)
        with self._changed:
            self._changed.wait_for(lambda: not self._is_open or wanted <= self._moments.keys(), seconds)
            if missing := sorted(wanted - self._moments.keys()):
                why = f"within {seconds:g} s" if self._is_open else "and the watch has ended"
                raise NotBoundError(f"{len(missing)} of {len(wanted)} pods are not bound, {missing[0]} for one, {why}")
            return {name: self._moments[name] for name in wanted}


@contextlib.contextmanager
def pods(plane: control_plane_kit.ControlPlane, namespace: str) -> Iterator[Watcher]:
    """Watch the pods of a namespace that are made from now on."""
    listed = plane.request("GET", f"{_path(namespace)}?limit=1").expect()
    version = listed["metadata"]["resourceVersion"]
    command = [sys.executable, "-m", __name__, plane.url, plane.authority, namespace, version]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # for the type checker: it is a pipe
        watcher = Watcher()
        thread = threading.Thread(target=watcher.follow, args=(process.stdout,))
        thread.start()
        try:
            yield watcher
        finally:
            process.kill()
            thread.join()


def _path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods"


def main() -> None:
    """Watch until killed; a watch that the API server ends is continued where it was."""
    url, authority, namespace, version = sys.argv[1:]
    address = urllib.parse.urlsplit(url)
    context = ssl.create_default_context(cafile=authority)
    seen: set[str] = set()
    while True:
        connection = http.client.HTTPSConnection(str(address.hostname), address.port, context=context)
        headers = {"Authorization": f"Bearer {control_plane_kit.ADMIN_TOKEN}"}
        connection.request("GET", f"{_path(namespace)}?watch=1&resourceVersion={version}", headers=headers)
        answer = connection.getresponse()
        while line := answer.readline():
            moment = time.monotonic()
            pod = json.loads(line)["object"]
            version, name = pod["metadata"]["resourceVersion"], pod["metadata"]["name"]
            if pod["spec"].get("nodeName") and name not in seen:
                seen.add(name)
                sys.stdout.write(f"{name} {moment}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
