"""Writes objects as they are where controllers run: with a status, half deleted, with claims of their own."""

import time
from collections.abc import Collection
from typing import Final

from kits.api_server import api_client
from oracle.drawn import drawing, probes

Manifest = drawing.Manifest

STORAGE: Final = "/apis/storage.k8s.io/v1"
NODES: Final = "/api/v1/nodes"
VOLUMES: Final = "/api/v1/persistentvolumes"
AT_ONCE: Final = {"gracePeriodSeconds": 0}
"""What makes a deletion wait for nobody."""
GATED: Final = "SchedulingGated"
"""Reason of the condition of pods that the scheduler has not looked at."""

_GATE: Final = "example.com/claims"
_CLAIM_SECONDS: Final = 0.1


def create_with_status(client: api_client.Client, path: str, manifest: Manifest, ending: Collection[str]) -> None:
    """Create a claim or volume; the finalizer that admission adds stays on those that are being deleted."""
    is_ending = manifest["metadata"]["name"] in ending
    made = f"{path}/{manifest['metadata']['name']}"
    client.create(path, manifest)
    freed = {} if is_ending else {"metadata": {"finalizers": None}}
    client.patch(f"{made}/status", {**freed, "status": manifest["status"]})
    if is_ending:
        client.delete(made)


def create_pod(client: api_client.Client, manifest: Manifest, ending: Collection[str]) -> None:
    """Create a pod that has its node."""
    path = pods_of(manifest["metadata"]["namespace"])
    made = f"{path}/{manifest['metadata']['name']}"
    client.create(path, manifest)
    if manifest["status"] != {"phase": "Running"}:
        client.patch(f"{made}/status", {"status": manifest["status"]})
    if manifest["metadata"]["name"] in ending:
        client.delete(made)  # with a grace period, which nobody ends


def ask(client: api_client.Client, probe: Manifest, profile: str) -> tuple[Manifest, tuple[Manifest, ...]]:
    """Create a pod, and the claims that are made for it while a gate holds it back; return them as stored."""
    spec = {**probe["spec"], "schedulerName": profile}
    path = pods_of(probe["metadata"]["namespace"])
    own = [each for each in spec.get("volumes", ()) if "ephemeral" in each and each["name"] != probes.UNCLAIMED]
    if not own:
        return client.create(path, {**probe, "spec": spec}), ()
    pod = client.create(path, {**probe, "spec": {**spec, "schedulingGates": [{"name": _GATE}]}})
    claims = tuple(_create_own_claim(client, pod, each) for each in own)
    time.sleep(_CLAIM_SECONDS)  # the scheduler would not look again soon at a pod whose claim it does not know yet
    gone = {"spec": {"schedulingGates": None}}
    return client.patch(f"{path}/{pod['metadata']['name']}", gone), claims


def _create_own_claim(client: api_client.Client, pod: Manifest, volume: Manifest) -> Manifest:
    metadata = pod["metadata"]
    owner = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"], "controller": True}
    name = f"{metadata['name']}-{volume['name']}"
    claim = {"metadata": {"name": name, "ownerReferences": [owner]}, **volume["ephemeral"]["volumeClaimTemplate"]}
    path = claims_of(metadata["namespace"])
    client.create(path, claim)
    return client.patch(f"{path}/{name}", {"metadata": {"finalizers": None}})


def delete_claim(client: api_client.Client, claim: Manifest) -> None:
    """Delete a claim that was made for a pod."""
    client.delete(f"{claims_of(claim['metadata']['namespace'])}/{claim['metadata']['name']}")


def pods_of(namespace: str) -> str:
    """Return the path of a namespace's pods."""
    return f"/api/v1/namespaces/{namespace}/pods"


def claims_of(namespace: str) -> str:
    """Return the path of a namespace's claims."""
    return f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
