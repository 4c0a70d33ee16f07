# ruff: noqa: INP001  Helm puts this text into a Job: it is no module of a package
"""Runs before `helm uninstall`, in the operator's image: stops the operator, takes its finalizer off all NeuronPools.

Law: afterwards no NeuronPool waits for an operator that is gone, and a new installation finds all ledgers as they were.
Arguments: host and port of the API server, namespace and Deployment of the operator, label selector of its pods.
"""

import json
import pathlib
import ssl
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

ACCOUNT = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
FINALIZER = "neuronspan.dev/finalizer"
POOLS = "/apis/neuronspan.dev/v1alpha1/neuronpools"
CALL_SECONDS = 10.0
STOP_SECONDS = 60.0
"""An operator stops within a second; one on a lost node never does, and can do no harm there."""


def call(server: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """Send one request as the pod's service account; raises OSError."""
    headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}", "Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = "application/merge-patch+json"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{server}{path}", data, headers, method=method)  # noqa: S310  always https
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, timeout=CALL_SECONDS, context=context) as answer:  # noqa: S310  as above
        return json.load(answer)


def stop_operator(server: str, namespace: str, deployment: str, selector: str) -> None:
    """Scale the operator to nothing and wait for its pods to go: it would put the finalizer back."""
    scale = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}/scale"
    call(server, "PATCH", scale, {"spec": {"replicas": 0}})
    pods = f"/api/v1/namespaces/{namespace}/pods?labelSelector={urllib.parse.quote(selector)}"
    deadline = time.monotonic() + STOP_SECONDS
    while call(server, "GET", pods)["items"] and time.monotonic() < deadline:
        time.sleep(0.5)  # this script may only list: a watch for a dozen pods, once, would need more code than it saves


def free_pools(server: str) -> list[str]:
    """Take the operator's finalizer off every NeuronPool; gives the names of those that had it."""
    freed = []
    for pool in call(server, "GET", POOLS)["items"]:
        metadata = pool["metadata"]
        left = [each for each in metadata.get("finalizers", []) if each != FINALIZER]
        if left != metadata.get("finalizers", []):
            patch = {"metadata": {"resourceVersion": metadata["resourceVersion"], "finalizers": left}}
            call(server, "PATCH", f"{POOLS}/{metadata['name']}", patch)
            freed.append(metadata["name"])
    return freed


def main() -> None:
    """Read the arguments and do both."""
    host, port, namespace, deployment, selector = sys.argv[1:]
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    stop_operator(server, namespace, deployment, selector)
    sys.stdout.write(f"the operator is stopped; freed NeuronPools: {', '.join(free_pools(server)) or 'none'}\n")


if __name__ == "__main__":
    main()
