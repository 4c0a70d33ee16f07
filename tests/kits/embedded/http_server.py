"""The embedded API server beside the test, in a thread of its own: the tests' client waits while it is answered."""

import asyncio
import base64
import contextlib
import pathlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from kits.api_server import api_client, control_plane
from neuronspan_embedded.api_server import server


def definitions() -> list[dict[str, Any]]:
    """Return the chart's CustomResourceDefinitions."""
    return [yaml.safe_load(path.read_text()) for path in sorted(control_plane.CRDS.glob("*.yaml"))]


@contextlib.contextmanager
def running(directory: pathlib.Path) -> Iterator[api_client.Client]:
    """Run a server with the chart's definitions; yield a client of it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="embedded API server")
    thread.start()
    made = server.Server(definitions=definitions())
    try:
        asyncio.run_coroutine_threadsafe(made.__aenter__(), loop).result()
        path = made.kubeconfig(directory / "embedded.kubeconfig")
        with api_client.Client(made.url, _authority(path), made.token) as client:
            yield client
        asyncio.run_coroutine_threadsafe(made.__aexit__(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _authority(kubeconfig: pathlib.Path) -> str:
    """Write what the server is to be trusted by to a file, and return its path."""

    cluster: Mapping[str, Any] = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
    path = kubeconfig.with_suffix(".pem")
    path.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    return str(path)
