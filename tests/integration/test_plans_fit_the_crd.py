"""Whatever pods ask for: a ledger that is planned is one that the API server stores."""

import http
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from kits.api_server import api_client
from kits.api_server import control_plane as control_plane_kit
from kits.manifests import builders, snapshots
from neuronspan import names
from neuronspan_operator.objects import neuron_nodes

pytestmark = pytest.mark.integration

NODES = "/apis/neuronspan.dev/v1alpha1/neuronnodes"
NODE = "planned"


@pytest.fixture(scope="module")
def client(control_plane: control_plane_kit.ControlPlane) -> Iterator[api_client.Client]:
    """A client of a server that has one NeuronNode with an empty ledger."""
    found = control_plane.client()
    manifest = builders.make_neuron_node(NODE)
    del manifest["metadata"]["uid"], manifest["metadata"]["resourceVersion"]
    found.request("DELETE", f"{NODES}/{NODE}")
    found.create(NODES, manifest)
    yield found
    found.delete(f"{NODES}/{NODE}")


@strategies.composite
def _pods(draw: strategies.DrawFn, index: int) -> dict[str, Any]:
    cores = draw(strategies.sampled_from([1, 1, 2, 4]))
    notes = draw(
        strategies.sampled_from(
            [
                {},
                {names.ENV_ANNOTATION: "count"},
                {names.GROUP_SIZES_ANNOTATION: ",".join(["1"] * cores)},
                {names.GROUP_SIZES_ANNOTATION: f"{'0' * 1020}1," + ",".join(["1"] * max(cores - 1, 1))},
                {names.GROUP_SIZES_ANNOTATION: f"{cores}x1"},
            ]
        )
    )
    inits = [
        builders.container(f"init-{number}-{'n' * draw(strategies.sampled_from([1, 50]))}", cores=1)
        for number in range(draw(strategies.sampled_from([0, 0, 1, 3, 64, 65, 100])))
    ]
    containers = [builders.container("c" * draw(strategies.sampled_from([1, 63])), cores=cores)]
    if draw(strategies.booleans()):
        containers.append(builders.container("second", devices=draw(strategies.sampled_from([1, 2]))))
    return builders.make_pod(
        f"p{index}-{'x' * draw(strategies.sampled_from([1, 240]))}",
        uid=f"00000000-0000-0000-0000-{index:012}",
        namespace="n" * draw(strategies.sampled_from([1, 63])),
        containers=containers,
        init_containers=inits,
        annotations=notes,
        fence=draw(strategies.sampled_from(["", "", "soon", "9999-12-31T23:59:59.999999Z", "2026-01-31T09:00:00Z"])),
    )


@hypothesis.given(strategies.integers(1, 6).flatmap(lambda count: strategies.tuples(*map(_pods, range(count)))))
@hypothesis.settings(
    deadline=None, max_examples=100, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
def test_every_ledger_that_is_planned_is_stored(client: api_client.Client, pods: tuple[dict[str, Any], ...]) -> None:
    stored = client.get(f"{NODES}/{NODE}")
    member = {**builders.make_neuron_node(NODE), "metadata": stored["metadata"]}
    plan = snapshots.plan(pods, [builders.make_node(NODE)], [member])
    for write in plan.ledgers:
        patch = neuron_nodes.spec_patch(neuron_nodes.read(member), write.ledger)
        answer = client.request("PATCH", f"{NODES}/{NODE}?dryRun=All", patch, api_client.MERGE_PATCH)
        assert answer.status == http.HTTPStatus.OK, answer.body
    for pod in pods:  # nobody is left out in silence
        uid = pod["metadata"]["uid"]
        assert uid in plan.waiting or any(uid == each.pod.uid for each in plan.departures)
