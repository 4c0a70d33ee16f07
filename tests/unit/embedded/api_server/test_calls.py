"""The calls of the embedded API server that others count on: bindings, evictions, what may still be written."""

from typing import Any

import pytest

from kits.embedded import cluster as embedded
from kits.embedded import in_memory
from kits.manifests import builders, domain
from neuronspan_agent import errors, resources
from neuronspan_embedded.api_server import subresources, verbs
from neuronspan_embedded.api_server.rules import refusals

POD = {"metadata": {"name": "web", "labels": {"app": "x"}}, "spec": {"containers": [{"name": "app", "image": "x"}]}}


def binding(pod: dict[str, Any], **metadata: str) -> dict[str, Any]:
    named = {field: pod["metadata"][field] for field in ("name", "uid", "resourceVersion")}
    return {"metadata": {**named, **metadata}, "target": {"kind": "Node", "name": "w1"}}


def bind(cluster: embedded.Embedded, wanted: dict[str, Any]) -> None:
    subresources.bind(cluster.calls, cluster.target("pods", "web", "binding"), wanted, verbs.NO_OPTIONS)


def test_pod_is_bound_once_and_as_it_was_planned_on() -> None:
    cluster = embedded.Embedded()
    pod = cluster.create("pods", POD)
    for stale in ({"uid": "another"}, {"resourceVersion": "1"}):
        with pytest.raises(refusals.Refusal, match="Precondition failed"):
            bind(cluster, binding(pod, **stale))
    bind(cluster, binding(pod))
    bound = cluster.get("pods", "web")
    assert bound["spec"]["nodeName"] == "w1"
    with pytest.raises(refusals.Refusal, match="already assigned to node") as refused:
        bind(cluster, binding(bound))
    assert refused.value.code == 409


def evict(cluster: embedded.Embedded) -> None:
    subresources.evict(cluster.calls, cluster.target("pods", "web", "eviction"), {}, verbs.NO_OPTIONS)


def test_budget_keeps_a_pod_from_its_eviction() -> None:
    cluster = embedded.Embedded()
    bind(cluster, binding(cluster.create("pods", POD)))
    cluster.create(
        "poddisruptionbudgets",
        {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}},
    )
    cluster.all_ready()
    with pytest.raises(refusals.Refusal, match="violate the pod's disruption budget") as refused:
        evict(cluster)
    assert refused.value.code == 429
    cluster.calls.patch(
        cluster.target("poddisruptionbudgets", "b"), {"spec": {"minAvailable": 0}}, "application/merge-patch+json"
    )
    cluster.settle()
    evict(cluster)
    assert cluster.get("pods", "web")["metadata"]["deletionGracePeriodSeconds"] == 30


async def test_status_is_written_beside_what_was_wrong_before() -> None:
    server = in_memory.ApiServer()
    broken = builders.make_neuron_node("w1", [domain.grant("0-3")])
    broken["spec"]["grants"][0]["count"] = 0
    server.put(resources.NEURON_NODES, broken)
    await server.merge_patch(resources.NEURON_NODES, "w1", {"status": {"epoch": "e2"}}, "", "status")
    assert server.stored(resources.NEURON_NODES, "w1")["status"]["epoch"] == "e2"
    with pytest.raises(errors.Invalid):
        await server.merge_patch(resources.NEURON_NODES, "w1", {"spec": {"cores": -1}})


async def test_ledger_that_overlaps_is_not_stored() -> None:
    server = in_memory.ApiServer()
    server.put(resources.NEURON_NODES, builders.make_neuron_node("w1", [domain.grant("0-3")]))
    entries = [domain.grant("0-3").to_dict(), domain.grant("2-5", "other").to_dict()]
    with pytest.raises(errors.Invalid, match="two grants share a core"):
        await server.merge_patch(resources.NEURON_NODES, "w1", {"spec": {"grants": entries}})
