"""``kubectl neuron`` reads the cluster as the operator does, and says what it found or what to do."""

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from click import testing

from kits.embedded import in_memory
from kits.manifests import builders, domain, pool_views, snapshots
from neuronspan import grants
from neuronspan_agent import errors, kube, resources
from neuronspan_agent.connecting import entries, kubeconfigs, targets
from neuronspan_operator import metrics
from neuronspan_operator.cli import commands, reading, standing
from neuronspan_operator.cluster import world
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import planner, plans


def _cluster(*created: builders.Manifest, pool_deleted: bool = False) -> in_memory.ApiServer:
    """One node of one pool, and these pods."""
    fake = in_memory.ApiServer()
    pool = pool_views.manifest()
    if pool_deleted:
        pool["metadata"]["deletionTimestamp"] = builders.CREATED
    fake.put(resources.NEURON_POOLS, pool)
    fake.put(resources.NODES, builders.make_node("w1", labels={"neuron": "yes"}))
    member = builders.make_neuron_node("w1", [domain.grant("0-3", "old", state=grants.GrantState.CONFIRMED)])
    member["metadata"]["labels"] = {"neuronspan.dev/pool": "a"}
    fake.put(resources.NEURON_NODES, member)
    for pod in created:
        fake.put(resources.PODS, pod)
    return fake


def _serve(
    monkeypatch: pytest.MonkeyPatch, fake: in_memory.ApiServer, namespace: str = ""
) -> list[tuple[str, targets.Target]]:
    """Let the commands log in to this fake; gives the kubeconfigs that they name, and the targets they reach."""
    used: list[tuple[str, targets.Target]] = []
    named: list[str] = []

    @contextlib.asynccontextmanager
    async def client() -> AsyncIterator[in_memory.ApiServer]:
        yield fake

    async def reach(
        _program: str, target: targets.Target, *, call_seconds: float | None
    ) -> contextlib.AbstractAsyncContextManager[in_memory.ApiServer]:
        assert call_seconds == 30
        used.append((named[-1], target))
        return client()

    def load(kubeconfig: str, environment: Mapping[str, str]) -> entries.Kubeconfig:
        named.append(kubeconfig or environment.get("KUBECONFIG") or "")
        context = entries.Context(cluster="k", user="u", namespace=namespace)
        clusters = {"k": entries.Cluster(server="https://api", proxy_url="http://proxy")}
        return entries.Kubeconfig(
            current_context="test", contexts={"test": context, "c": context}, clusters=clusters, users={}, where="x"
        )

    monkeypatch.setattr(kube, "reach", reach)
    monkeypatch.setattr(kubeconfigs, "load", load)
    return used


def _run(*arguments: str, **environment: str | None) -> testing.Result:
    return testing.CliRunner(env=environment).invoke(commands.main, arguments)


def _operator_snapshot(fake: in_memory.ApiServer) -> plans.Snapshot:
    """What the operator plans on, once its caches are complete."""

    async def read() -> plans.Snapshot:
        known = world.World(fake, metrics.Metrics())
        running = asyncio.create_task(known.run())
        await known.synced()
        running.cancel()
        return known.snapshot()

    return asyncio.run(read())


def _pod(snapshot: plans.Snapshot, name: str) -> pods.PodView:
    (found,) = [each for each in snapshot.pods.values() if each.name == name]
    return found


@pytest.mark.parametrize("pool_deleted", [False, True], ids=["pool", "pool being deleted"])
def test_command_and_operator_agree(*, pool_deleted: bool) -> None:
    fake = _cluster(builders.make_pod(cores=4), builders.make_pod("large", cores=40), pool_deleted=pool_deleted)
    snapshot = asyncio.run(reading.read_cluster(fake))
    assert snapshot == _operator_snapshot(fake)
    plan = planner.plan(snapshot, snapshots.NOW)
    assert [bind.pod.name for bind in plan.bindings] == ([] if pool_deleted else ["web"])
    said = standing.of(snapshot, _pod(snapshot, "web"), snapshots.NOW)
    assert ("of a NeuronPool that is being deleted" in said) is pool_deleted
    assert ("has room now" in said) is not pool_deleted


def test_cluster_is_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_PAGE", 2)
    fake = _cluster(*(builders.make_pod(f"p{index}", cores=1) for index in range(5)))
    assert len(asyncio.run(reading.read_cluster(fake)).pods) == 5
    assert fake.calls.count("list pods") == 3


def test_explain_says_where_the_pod_of_that_namespace_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    others = builders.make_pod("web", uid="1", cores=40), builders.make_pod("db", uid="2", namespace="ml", cores=4)
    _serve(monkeypatch, _cluster(*others, builders.make_pod(cores=4, uid="3", namespace="ml", deleted=True)))
    result = _run("explain", "-n", "ml", "web")
    assert (result.exit_code, result.output) == (0, "pod ml/web is being deleted and gets no NeuronCores\n")


def test_explain_uses_the_namespace_default(monkeypatch: pytest.MonkeyPatch) -> None:
    _serve(monkeypatch, _cluster(builders.make_pod(scheduler="default-scheduler")))
    assert _run("explain", "web").output == "pod default/web asks for no NeuronCores\n"


def test_explain_uses_the_namespace_of_the_context_before_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    _serve(monkeypatch, _cluster(builders.make_pod(namespace="ml", scheduler="default-scheduler")), "ml")
    assert _run("explain", "web").output == "pod ml/web asks for no NeuronCores\n"
    assert "no pod web in namespace other" in _run("explain", "web", "-n", "other").output


@pytest.mark.parametrize(
    "arguments",
    [("--kubeconfig", "/a", "--context", "c", "map"), ("map", "--kubeconfig", "/a", "--context", "c")],
    ids=["before the command", "behind it"],
)
def test_connection_is_named_before_or_behind_the_command(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    used = _serve(monkeypatch, _cluster())
    assert _run(*arguments, KUBECONFIG="/variable").exit_code == 0
    assert [(kubeconfig, target.context) for kubeconfig, target in used] == [("/a", "c")]


def test_explain_refuses_a_pod_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    _serve(monkeypatch, _cluster())
    result = _run("explain", "-n", "ml", "web")
    assert result.exit_code == 1
    assert result.output == (
        "Error: no pod web in namespace ml: give its namespace with -n, or see `kubectl get pods -A`\n"
    )


def test_map_draws_nodes_whose_ledger_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = _cluster()
    broken = builders.make_neuron_node("w2")
    broken["spec"]["grants"] = [{}]
    fake.put(resources.NEURON_NODES, broken)
    fake.put(resources.NEURON_NODES, {"metadata": {"name": "w3"}})
    _serve(monkeypatch, fake)
    result = _run("map")
    assert result.exit_code == 0
    assert "w1  trn1.32xlarge  28 of 32 cores free" in result.output
    assert "default/old" in result.output
    assert "w2" not in result.output
    assert "w3" not in result.output


def test_map_and_explain_say_why_cores_are_unhealthy(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = _cluster(builders.make_pod(cores=28))
    faulty = fake.stored(resources.NEURON_NODES, "w1")
    faulty["status"]["cores"][16] = {"index": 16, "healthy": False, "reason": "NEURON_HW_ERR=9"}
    fake.put(resources.NEURON_NODES, faulty)
    _serve(monkeypatch, fake)
    assert "! unhealthy: 16 (NEURON_HW_ERR=9)" in _run("map").output
    assert "Unhealthy are cores 16 of w1 (NEURON_HW_ERR=9)." in _run("explain", "web").output


def test_map_is_also_written_as_svg(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    _serve(monkeypatch, _cluster())
    path = tmp_path / "map.svg"
    assert _run("map", "--svg", str(path)).exit_code == 0
    assert "kubectl neuron map" in path.read_text(encoding="utf-8").replace("&#160;", " ")


def test_map_of_a_cluster_without_neuron_nodes_says_what_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    _serve(monkeypatch, in_memory.ApiServer())
    result = _run("map")
    assert result.exit_code == 1
    assert "no NeuronNode has a hardware profile" in result.output
    assert "kubectl get neuronpools" in result.output


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.NotFound("GET /apis: 404", status=404), "the cluster knows no NeuronNodes: install the chart first"),
        (errors.Forbidden("GET /apis: 401 who are you", status=401), "who are you"),
        (errors.Unavailable("GET /apis: no answer in time"), "no answer in time"),
    ],
    ids=["not installed", "unknown", "unreachable"],
)
@pytest.mark.parametrize("command", [("map",), ("explain", "web")])
def test_refused_call_is_one_line_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, error: errors.KubernetesError, words: str, command: tuple[str, ...]
) -> None:
    fake = _cluster()
    fake.fail("list neuronnodes", error)
    _serve(monkeypatch, fake)
    result = _run(*command)
    assert (result.exit_code, result.output) == (1, f"Error: {words}\n" if error.status == 404 else f"Error: {error}\n")
    assert words in result.output


def test_unusable_kubeconfig_is_one_line_without_a_traceback(tmp_path: pathlib.Path) -> None:
    result = _run("--kubeconfig", str(tmp_path / "none"), "map")
    assert result.exit_code == 1
    assert result.output.startswith("Error: there is no kubeconfig ")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "variable", "chosen"),
    [
        (("--kubeconfig", "/flag"), "/variable", "/flag"),
        ((), "/variable", "/variable"),
    ],
    ids=["flag", "variable"],
)
def test_kubeconfig_is_the_flag_then_the_variable(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], variable: str | None, chosen: str
) -> None:
    used = _serve(monkeypatch, _cluster())
    assert _run(*arguments, "map", KUBECONFIG=variable).exit_code == 0
    assert [(kubeconfig, target.context) for kubeconfig, target in used] == [(chosen, "test")]


@pytest.mark.parametrize("error", [errors.Forbidden("403", status=403), errors.NotFound("404", status=404)])
def test_what_a_user_may_not_read_of_volumes_is_named(error: errors.KubernetesError) -> None:
    fake = _cluster(builders.make_pod(cores=4))
    fake.fail("list persistentvolumes", error)
    assert asyncio.run(reading.read_cluster(fake)).storage.unread == ("persistentvolumes",)


# --- who may not see the cluster -------------------------------------------------------------------------------------

REFUSED = errors.Forbidden("GET /apis: 403 neuronnodes is forbidden: User dev cannot list", status=403)
EVENT = {
    "metadata": {"name": "e1", "namespace": "ml"},
    "involvedObject": {"uid": "1"},
    "reportingComponent": "neuronspan",
    "lastTimestamp": "2026-01-02T03:04:05Z",
    "reason": "FailedScheduling",
    "message": "0/1 nodes are available",
}


def _hiding(*created: builders.Manifest, refused: str = "list neuronnodes") -> in_memory.ApiServer:
    fake = _cluster(*created)
    fake.put(resources.EVENTS, EVENT)
    fake.put(resources.EVENTS, EVENT | {"metadata": {"name": "e2", "namespace": "ml"}, "reportingComponent": "kubelet"})
    fake.fail(refused, REFUSED)
    return fake


def _waiting(name: str = "web", **said: Any) -> builders.Manifest:
    pod = builders.make_pod(name, uid="1", namespace="ml", cores=4, **said)
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: (Full)"}
    pod["status"]["conditions"] = [condition]
    return pod


@pytest.mark.parametrize("refused", ["list neuronnodes", "list pods", "list nodes"])
def test_explain_says_what_the_pod_says_where_the_cluster_may_not_be_seen(
    monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    _serve(monkeypatch, _hiding(_waiting(), refused=refused), "ml")
    result = _run("explain", "web")
    assert result.exit_code == 0
    first, event, right = result.output.splitlines()
    assert first == "pod ml/web waits (Unschedulable): 0/1 nodes: (Full)"
    assert event == "  2026-01-02T03:04:05Z FailedScheduling: 0/1 nodes are available"
    assert right.startswith("This is only what the pod says of itself: GET /apis: 403 neuronnodes is forbidden")
    assert "--clusterrole=neuronspan-viewer" in right


def test_explain_says_it_without_events_too(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = _hiding(_waiting())
    fake.fail("list events", REFUSED)
    _serve(monkeypatch, fake, "ml")
    assert len(_run("explain", "web").output.splitlines()) == 2


def test_explain_in_all_namespaces_and_of_a_pod_that_may_not_be_seen_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _serve(monkeypatch, _hiding(_waiting()), "ml")
    assert (_run("explain", "-A", "web").exit_code, _run("explain", "web").exit_code) == (1, 0)
    fake = _hiding(_waiting())
    fake.fail("get pods", REFUSED)
    _serve(monkeypatch, fake, "ml")
    assert _run("explain", "web").exit_code == 1
    _serve(monkeypatch, _hiding(), "ml")
    assert "no pod web in namespace ml" in _run("explain", "web").output


def test_map_shows_the_pods_of_the_namespace_where_nodes_may_not_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    granted = builders.make_pod(
        "db", uid="2", namespace="ml", cores=4, node="w1", grant={"node": "w1", "containers": {"app": "4-7"}}
    )
    other = builders.make_pod("idle", uid="3", namespace="ml", scheduler="default-scheduler")
    _serve(monkeypatch, _hiding(_waiting(), granted, other), "ml")
    result = _run("map")
    assert result.exit_code == 0
    first, second, right = result.output.splitlines()
    assert "pod ml/db is" in first
    assert "container app: cores 4-7 of node w1" in first
    assert second == "pod ml/web waits (Unschedulable): 0/1 nodes: (Full)"
    assert right.startswith("This is only what the pods of namespace ml say of themselves")
    _serve(monkeypatch, _hiding(), "other")
    assert "no pod of namespace other asks for NeuronCores" in _run("map").output


def test_explain_shows_the_pods_of_one_name_in_all_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    two = [builders.make_pod(uid=each, namespace=each, scheduler="default-scheduler") for each in ("a", "b")]
    _serve(monkeypatch, _cluster(*two))
    assert _run("explain", "-A", "web").output.splitlines() == [
        "pod a/web asks for no NeuronCores",
        "pod b/web asks for no NeuronCores",
    ]
    assert "no pod db in any namespace" in _run("explain", "-A", "db").output
