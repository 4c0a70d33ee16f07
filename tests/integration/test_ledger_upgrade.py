"""Ledgers that an older version stored, whose lists had map keys, go on under today's CRD."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from kits.api_server import admission as admission_kit
from kits.api_server import api_client
from kits.api_server import control_plane as control_plane_kit
from neuronspan import names
from neuronspan_operator.objects import neuron_nodes

pytestmark = pytest.mark.integration

GROUP = "upgraded.neuronspan.dev"
"""A copy of the CRD under a name of its own: other tests use the real one at the same time."""
NODE = f"/apis/{GROUP}/v1alpha1/neuronnodes/w1"
CRD = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/neuronnodes.{GROUP}"
SINCE = "2026-01-31T09:00:00Z"
CORES = [{"index": index, "healthy": index != 3} for index in range(32)]


def todays_crd() -> dict[str, Any]:
    crd: dict[str, Any] = yaml.safe_load((control_plane_kit.CRDS / "neuronnodes.yaml").read_text())
    crd["metadata"]["name"] = f"neuronnodes.{GROUP}"
    crd["spec"]["group"] = GROUP
    return crd


def older_crd() -> dict[str, Any]:
    crd = copy.deepcopy(todays_crd())
    parts = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    grants, cores = parts["spec"]["properties"]["grants"], parts["status"]["properties"]["cores"]
    del grants["default"], parts["spec"]["x-kubernetes-validations"]  # its rules were others
    grants |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["podUID", "container"]}
    cores |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["index"]}
    return crd


def older_grant(number: int, first: int, state: str = "Confirmed") -> dict[str, Any]:
    """Return a grant with every field, as older versions write it."""
    return {
        "podUID": f"u{number}", "container": "app", "namespace": "default", "pod": f"p{number}", "first": first,
        "count": 4, "resource": names.CORE_RESOURCE, "env": "visible", "groupSizes": "", "state": state,
        "since": SINCE, "initContainers": [],
    }  # fmt: skip


STORED = [older_grant(1, 0), older_grant(2, 4), older_grant(3, 8, "Granted")]


@pytest.fixture
def client(control_plane: control_plane_kit.ControlPlane) -> Iterator[api_client.Client]:
    """A cluster with today's CRD and a NeuronNode that the older one stored: a merge patch, an apply and a status."""
    client = control_plane.client()
    control_plane.apply_crd(older_crd())
    node = {**admission_kit.neuron_node("w1"), "apiVersion": f"{GROUP}/v1alpha1"}
    client.create(NODE.rpartition("/")[0], node)
    client.patch(NODE, {"spec": {"grants": STORED[:2]}})
    applied = {"apiVersion": node["apiVersion"], "kind": node["kind"], "metadata": {"name": "w1"}}
    applied["spec"] = {**node["spec"], "grants": STORED[2:]}
    client.patch(f"{NODE}?fieldManager=somebody&force=true", applied, api_client.APPLY_PATCH)
    client.patch(f"{NODE}/status", {"status": {"epoch": "1", "cores": CORES}})
    control_plane.apply_crd(todays_crd())
    yield client
    client.delete(CRD)
    control_plane_kit.wait_for(lambda: client.request("GET", CRD).status == 404, "end of the copied CRD")


def owned(stored: dict[str, Any]) -> str:
    return str(stored["metadata"]["managedFields"])


def test_older_ledger_reads_as_it_was_stored_and_goes_on(client: api_client.Client) -> None:
    stored = client.get(NODE)
    assert stored["spec"]["grants"] == STORED
    assert stored["status"]["cores"] == CORES
    view = neuron_nodes.read(stored)
    assert view.ledger is not None
    confirmed = view.ledger.confirm(("u3", "app"), SINCE).release(("u1", "app"), SINCE)
    answer = client.patch(NODE, neuron_nodes.spec_patch(view, confirmed))
    assert neuron_nodes.read(answer).ledger == confirmed


def test_fields_of_an_older_ledger_have_no_owners_of_their_own_after_the_first_write(client: api_client.Client) -> None:
    assert '"podUID":"u1"' in owned(client.get(NODE))
    view = neuron_nodes.read(client.get(NODE))
    assert view.ledger is not None
    written = client.patch(NODE, neuron_nodes.spec_patch(view, view.ledger.confirm(("u3", "app"), SINCE)))
    assert "podUID" not in owned(written)
    assert '"index":' not in owned(client.patch(f"{NODE}/status", {"status": {"cores": CORES[:16]}}))


def test_older_operator_and_plugin_can_still_write(client: api_client.Client) -> None:
    moved = [*STORED[:2], older_grant(3, 8), older_grant(4, 12, "Granted")]
    assert client.patch(NODE, {"spec": {"grants": moved}})["spec"]["grants"] == moved
    assert client.patch(f"{NODE}/status", {"status": {"cores": CORES[:4]}})["status"]["cores"] == CORES[:4]
    kept = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "NeuronNode", "metadata": {"name": "w1"}}
    kept["spec"] = {**admission_kit.neuron_node("w1")["spec"], "grants": moved}
    again = client.patch(f"{NODE}?fieldManager=somebody&force=true", kept, api_client.APPLY_PATCH)
    assert again["spec"]["grants"] == moved


def test_promises_hold_for_an_older_ledger(client: api_client.Client) -> None:
    for grants, words in (
        (STORED[1:], "a Confirmed grant cannot be dropped"),
        ([{**STORED[0], "count": 3}, *STORED[1:]], "the size of a grant never changes"),
        ([*STORED, older_grant(4, 11)], "two grants share a core"),
    ):
        answer = client.request("PATCH", NODE, {"spec": {"grants": grants}}, api_client.MERGE_PATCH)
        assert words in answer.message
    assert client.get(NODE)["spec"]["grants"] == STORED
