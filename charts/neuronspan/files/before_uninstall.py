# ruff: noqa: INP001  Helm puts this text into a Job: it is no module of a package
"""Runs before `helm uninstall`, in the operator's image: stops the operator and says what is left without it.

Law: afterwards no NeuronPool waits for an operator that is gone, no pod does so unsaid, and a new installation finds
all ledgers as they were.
Arguments: host and port of the API server, namespace and Deployment of the operator, label selector of its pods, what
becomes of waiting pods (keep or delete), what makes new pods ours (plural and name of an admission object, or nothing).
"""

import json
import pathlib
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

ACCOUNT = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
FINALIZER = "neuronspan.dev/finalizer"
POOLS = "/apis/neuronspan.dev/v1alpha1/neuronpools"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
WAITING = {
    "labelSelector": "neuronspan.dev/managed=true",
    "fieldSelector": "spec.nodeName=,status.phase=Pending",
    "limit": "500",
}
SHOWN = 20
CALL_SECONDS = 10.0
STOP_SECONDS = 60.0
"""An operator stops within a second; one on a lost node never does, and can do no harm there."""
DELETE_SECONDS = 60.0
"""API servers forget a policy or webhook within a second; until then the pods that controllers make anew are ours."""


def call(server: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """Send one request as the pod's service account; raises OSError."""
    headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}", "Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
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


def waiting_pods(server: str) -> Iterator[Mapping[str, Any]]:
    """Yield the metadata of every pod that waits for NeuronCores."""
    query = dict(WAITING)
    while True:
        page = call(server, "GET", f"/api/v1/pods?{urllib.parse.urlencode(query)}")
        yield from (pod["metadata"] for pod in page["items"])
        query["continue"] = page["metadata"].get("continue", "")
        if not query["continue"]:
            return


def is_replaced(pod: Mapping[str, Any]) -> bool:
    """Whether a controller makes another pod when this one is deleted; a Job counts that as a failure."""
    return any(owner.get("controller") and owner["kind"] != "Job" for owner in pod.get("ownerReferences", ()))


def delete(server: str, path: str, uid: str = "") -> None:
    """Delete an object, of this UID; it may be gone already."""
    try:
        call(server, "DELETE", path, {"preconditions": {"uid": uid}} if uid else {})
    except urllib.error.HTTPError as error:
        if error.code not in {404, 409}:
            raise


def delete_waiting_pods(server: str, mutator: str) -> list[str]:
    """Delete the waiting pods that a controller makes anew, until it makes none of ours; gives their names."""
    if mutator:
        delete(server, f"{ADMISSION}/{mutator}")
    deleted = []
    deadline = time.monotonic() + DELETE_SECONDS
    while (found := [*filter(is_replaced, waiting_pods(server))]) and time.monotonic() < deadline:
        for pod in found:
            delete(server, f"/api/v1/namespaces/{pod['namespace']}/pods/{pod['name']}", pod["uid"])
        deleted += names(found)
        time.sleep(0.5)  # controllers make the next pods in their own time
    return deleted


def names(pods: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name pods as kubectl users do."""
    return [f"{pod['namespace']}/{pod['name']}" for pod in pods]


def listed(pods: Sequence[str]) -> str:
    """Say how many they are, and which."""
    more = f" and {len(pods) - SHOWN} more" if len(pods) > SHOWN else ""
    return f"{len(pods)} ({', '.join(pods[:SHOWN])}{more})" if pods else "none"


def main() -> None:
    """Read the arguments, do everything, and say what was done."""
    host, port, namespace, deployment, selector, waiting, mutator = sys.argv[1:]
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    stop_operator(server, namespace, deployment, selector)
    say(f"the operator is stopped; freed NeuronPools: {', '.join(free_pools(server)) or 'none'}")
    if waiting == "delete":
        say(f"deleted pods that waited for NeuronCores: {listed(delete_waiting_pods(server, mutator))}")
    left = names([*waiting_pods(server)])
    say(f"pods that wait for NeuronCores: {listed(left)}")
    if left:
        say("nobody schedules them until neuronspan is installed again; to give up, delete them")


def say(line: str) -> None:
    """Write a line for whoever runs `helm uninstall`."""
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
