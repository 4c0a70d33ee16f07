"""From the chart before this one, in a real API server: custom resources, what is stored, and the release itself."""

import copy
import http
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from kits.api_server import admission as admission_kit
from kits.api_server import api_client, chart
from kits.api_server import control_plane as control_plane_kit
from kits.release import predecessor
from neuronspan import names

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

NODE = f"{admission_kit.NEURON_NODES}/w1"
POOL = "/apis/neuronspan.dev/v1alpha1/neuronpools/trn1"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
APPS = f"/apis/apps/v1/namespaces/{chart.NAMESPACE}"
WORKLOADS = {
    "operator": f"{APPS}/deployments/neuronspan-operator",
    "plugin": f"{APPS}/daemonsets/neuronspan-deviceplugin",
}
GRANTS = [
    {
        "podUID": f"u{number}", "container": "app", "namespace": "default", "pod": f"p{number}", "first": number * 4,
        "count": 4, "resource": names.CORE_RESOURCE, "env": "visible", "groupSizes": "", "state": state,
        "since": "2026-01-31T09:00:00Z", "initContainers": [],
    }
    for number, state in enumerate(("Confirmed", "Confirmed", "Granted", "Releasing"))
]  # fmt: skip
NEW_VARIABLES = ("MALLOC_ARENA_MAX", "NEURONSPAN_SHOW_DEVICES")
STATUS = {"status": {"cores": [{"index": 3, "healthy": False, "reason": "Test"}]}}


@pytest.fixture
def upgraded_from(
    tmp_path: pathlib.Path, control_plane: control_plane_kit.ControlPlane
) -> Iterator[tuple[control_plane_kit.ControlPlane, pathlib.Path]]:
    """An API server with the chart's predecessor installed, and where that is."""
    if not control_plane.serves(*control_plane_kit.POLICIES):
        pytest.skip("the predecessor's chart installs only where policies change pods: Kubernetes 1.36")
    for name in ("chart", "plane", "nothing"):
        (tmp_path / name).mkdir()
    before = predecessor.chart(tmp_path / "chart")
    with control_plane_kit.running(tmp_path / "plane", tmp_path / "nothing") as plane:
        chart.release(plane, "install", chart=before)
        yield plane, before


def apply_shown_crds(plane: control_plane_kit.ControlPlane) -> None:
    """Do what the installation pages say: `helm show crds CHART | kubectl apply --server-side --force-conflicts`."""
    with plane.client() as client:
        for manifest in yaml.safe_load_all(chart.helm("show", "crds", str(chart.CHART))):
            path = f"{CRDS}/{manifest['metadata']['name']}?fieldManager=kubectl&force=true"
            client.patch(path, manifest, api_client.APPLY_PATCH)


def store(plane: control_plane_kit.ControlPlane) -> dict[str, Any]:
    """Store a ledger with grants of every state, as the predecessor's operator does; returns the node and a pool."""
    operator = plane.client(impersonation=api_client.Impersonation(chart.OPERATOR, ("system:authenticated",)))
    node = copy.deepcopy(admission_kit.neuron_node("w1"))
    admission_kit.wait_for(
        lambda: operator.request("POST", admission_kit.NEURON_NODES, node).status == http.HTTPStatus.CREATED,
        "the operator's rights to be active",
    )
    operator.patch(NODE, {"spec": {"grants": GRANTS}}, api_client.MERGE_PATCH)
    admin = plane.client()
    return {"node": admin.get(NODE), "pool": admin.get(POOL)}


def test_stored_ledgers_and_pools_outlive_the_upgrade_of_their_schemas(
    upgraded_from: tuple[control_plane_kit.ControlPlane, pathlib.Path],
) -> None:
    plane, before = upgraded_from
    stored = store(plane)
    apply_shown_crds(plane)
    admin = plane.client()
    wanted = yaml.safe_load((control_plane_kit.CRDS / "neuronnodes.yaml").read_text())["spec"]["versions"]
    served = admin.get(f"{CRDS}/neuronnodes.neuronspan.dev")["spec"]["versions"]
    assert [*_rules(served)] == [*_rules(wanted)]
    for path, kept in ((NODE, stored["node"]), (POOL, stored["pool"])):
        now = admin.get(path)
        assert now["spec"] == kept["spec"]
        assert now["metadata"]["uid"] == kept["metadata"]["uid"]
    # the predecessor's operator, which is still there, goes on writing under the new schema
    operator = plane.client(impersonation=api_client.Impersonation(chart.OPERATOR, ("system:authenticated",)))
    operator.patch(NODE, {"spec": {"grants": GRANTS[:3]}}, api_client.MERGE_PATCH)
    assert admin.get(NODE)["spec"]["grants"] == GRANTS[:3]
    assert before.is_dir()


def _rules(part: Any) -> Iterator[str]:
    """Yield the rules of a schema, with the place of each in it; the rest of it gets defaults when it is stored."""
    named = part if isinstance(part, dict) else dict(enumerate(part)) if isinstance(part, list) else {}
    for name, child in sorted(named.items(), key=lambda item: str(item[0])):
        yield from (f"{name}/{rule}" for rule in _rules(child))
    if isinstance(part, dict) and isinstance(part.get("rule"), str):
        yield part["rule"]


def _without_news(template: dict[str, Any]) -> dict[str, Any]:
    """Return a pod template without what this chart has new: where plugins stay, and whether pods see devices."""
    spec = {key: value for key, value in template["spec"].items() if key != "affinity"}
    containers = [
        {**each, "env": [variable for variable in each["env"] if variable["name"] not in NEW_VARIABLES]}
        for each in spec["containers"]
    ]
    return {**template, "spec": {**spec, "containers": containers}}


@pytest.mark.parametrize(
    "flags", [(), ("--reuse-values",), ("--reset-values",)], ids=lambda flags: "".join(flags) or "plain"
)
def test_upgrade_of_the_release_replaces_no_object_and_changes_of_pods_what_it_must(
    upgraded_from: tuple[control_plane_kit.ControlPlane, pathlib.Path], flags: tuple[str, ...]
) -> None:
    plane, _ = upgraded_from
    stored = store(plane)
    admin = plane.client()
    workloads = {name: admin.get(path) for name, path in WORKLOADS.items()}
    apply_shown_crds(plane)
    chart.release(plane, "upgrade", *flags)
    for name, path in WORKLOADS.items():
        now = admin.get(path)
        assert now["metadata"]["uid"] == workloads[name]["metadata"]["uid"]
        assert now["spec"]["selector"] == workloads[name]["spec"]["selector"]
        assert _without_news(now["spec"]["template"]) == _without_news(workloads[name]["spec"]["template"])
    assert admin.get(NODE)["spec"] == stored["node"]["spec"]
    assert admin.get(POOL)["metadata"]["uid"] == stored["pool"]["metadata"]["uid"]
    second = {"fullnameOverride": "other", "pools": []}
    with pytest.raises(chart.RenderError, match="the cluster has neuronspan already"):
        chart.release(plane, "install", name="second", values=second)


def test_second_release_sees_the_predecessor(
    upgraded_from: tuple[control_plane_kit.ControlPlane, pathlib.Path],
) -> None:
    """It has no object of which there can be only one."""
    plane, _ = upgraded_from
    with pytest.raises(chart.RenderError, match='the cluster has neuronspan already, as release "neuronspan"'):
        chart.release(plane, "install", name="second", values={"fullnameOverride": "other", "pools": []})
