"""The operator as a process: start, stop, leadership lost and won, rights, settings. Against a real API server."""

import contextlib
import pathlib
import re
import signal

import pytest

from kits.api_server import api_client, chart, tcp_proxy
from kits.api_server import control_plane as control_plane_kit
from kits.world import operator_processes, running_operator, stand_in

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

_LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/neuronspan-operator"
_QUICK = ("--lease-seconds=8", "--renew-seconds=6", "--retry-seconds=0.5", "--call-seconds=2")


async def test_process_serves_probes_leads_and_ends_cleanly_on_sigterm(
    control_plane: control_plane_kit.ControlPlane, cluster: stand_in.StandIn, tmp_path: pathlib.Path
) -> None:
    async with operator_processes.started(
        tmp_path, f"--kubeconfig={control_plane.kubeconfig}", "--identity=me"
    ) as process:
        await running_operator.until(process.is_ready, seconds=40)
        await running_operator.until(process.leads)
        assert process.fetch("/livez") == (200, "ok\n")
        assert cluster.client.get(_LEASE)["spec"]["holderIdentity"] == "me"
        cluster.add_pool("trn1")
        await running_operator.until(lambda: cluster.pool_condition("trn1", "Ready")[0] == "True")
        await running_operator.until(lambda: (cluster.pool("trn1") or {})["metadata"].get("finalizers"))
        process.process.send_signal(signal.SIGTERM)
        assert await operator_processes.ended(process) == 0
        assert "Traceback" not in process.output
        assert "identity=me" in process.output
    assert cluster.client.get(_LEASE)["spec"]["holderIdentity"] == ""


async def test_process_reports_every_wrong_setting_and_ends(tmp_path: pathlib.Path) -> None:
    async with operator_processes.started(tmp_path, "--writers=many", "--colour=red") as process:
        assert await operator_processes.ended(process) == 1
        assert "--writers is 'many'" in process.output
        assert "--colour=red" in process.output
        assert "Traceback" not in process.output


async def test_process_says_how_to_log_in_when_it_cannot(tmp_path: pathlib.Path) -> None:
    async with operator_processes.started(tmp_path, "--kubeconfig=/nowhere") as process:
        assert await operator_processes.ended(process) == 1
        assert "cannot log in with the kubeconfig /nowhere" in process.output
        assert "Traceback" not in process.output


async def test_leader_cut_off_from_the_api_server_ends_itself_and_the_standby_takes_over(
    control_plane: control_plane_kit.ControlPlane, cluster: stand_in.StandIn, tmp_path: pathlib.Path
) -> None:
    cluster.add_node("w1")
    cluster.add_pool("trn1")
    async with tcp_proxy.TcpProxy(control_plane.url).running() as proxy, contextlib.AsyncExitStack() as stack:
        behind_proxy = control_plane.write_kubeconfig(url=proxy.url)
        leader = await stack.enter_async_context(
            operator_processes.started(tmp_path, f"--kubeconfig={behind_proxy}", "--identity=leader", *_QUICK)
        )
        await running_operator.until(leader.leads, seconds=40)
        await running_operator.until(lambda: cluster.neuron_nodes() == ["w1"])
        cluster.register_plugin("w1")
        standby = await stack.enter_async_context(
            operator_processes.started(
                tmp_path, f"--kubeconfig={control_plane.kubeconfig}", "--identity=standby", *_QUICK
            )
        )
        await running_operator.until(standby.is_ready, seconds=40)
        assert not standby.leads()
        proxy.freeze()
        assert await operator_processes.ended(leader) == 1
        assert "could not renew it for 6 s" in leader.output
        await running_operator.until(standby.leads)
        cluster.submit("web", 4)
        await running_operator.until(cluster.bound)
        assert cluster.client.get(_LEASE)["spec"]["holderIdentity"] == "standby"


async def test_killed_leader_is_followed_by_the_standby(
    control_plane: control_plane_kit.ControlPlane, cluster: stand_in.StandIn, tmp_path: pathlib.Path
) -> None:
    flags = (f"--kubeconfig={control_plane.kubeconfig}", *_QUICK)
    async with (
        operator_processes.started(tmp_path, "--identity=one", *flags) as one,
        operator_processes.started(tmp_path, "--identity=two", *flags) as two,
    ):
        await running_operator.until(lambda: one.leads() or two.leads(), seconds=40)
        await running_operator.until(lambda: one.is_ready() and two.is_ready(), seconds=40)
        leader, standby = (one, two) if one.leads() else (two, one)
        assert not standby.leads()
        leader.process.kill()
        await running_operator.until(standby.leads)


async def test_operator_needs_no_right_that_the_chart_does_not_give(
    control_plane: control_plane_kit.ControlPlane, cluster: stand_in.StandIn, tmp_path: pathlib.Path
) -> None:
    """The whole life of a grant with the service account and the roles of the chart, and not one 403."""
    with contextlib.ExitStack() as stack:
        token = _install_rights(cluster.client, stack)
        kubeconfig = control_plane.write_kubeconfig(token=token)
        names = (f"--namespace={chart.NAMESPACE}", f"--lease-name={chart.RELEASE}-operator")
        async with operator_processes.started(tmp_path, f"--kubeconfig={kubeconfig}", *names) as process:
            cluster.add_node("w1")
            cluster.add_pool("trn1")
            await running_operator.until(lambda: cluster.neuron_nodes() == ["w1"], seconds=40)
            cluster.register_plugin("w1")
            uid = cluster.submit("web", 4)["metadata"]["uid"]
            cluster.submit("big", 33)
            await running_operator.until(cluster.bound)
            await running_operator.until(lambda: "Scheduled" in cluster.events_of("web"))
            await running_operator.until(lambda: "(NeverFits)" in cluster.waiting_of("big"))
            cluster.submit("owned", 4, owner="rs")
            await running_operator.until(lambda: len(cluster.bound()) == 2)
            thief = {"podUID": "uid-of-nobody", "namespace": "default", "pod": "thief", "container": "app"}
            (first,) = [grant["first"] for grant in cluster.ledger("w1") if grant["pod"] == "owned"]
            held = {**thief, "first": first, "count": 4, "resource": "aws.amazon.com/neuroncore", "processes": True}
            cluster.report("w1", held=[held])  # somebody else has its cores: it is evicted
            await running_operator.until(lambda: "deletionTimestamp" in cluster.pod("owned")["metadata"])
            cluster.delete_pods(["web", "owned"])
            gone = [grant["podUID"] for grant in cluster.ledger("w1")]
            assert len(gone) == 2
            assert uid in gone
            await running_operator.until(lambda: {grant["state"] for grant in cluster.ledger("w1")} == {"Releasing"})
            cluster.report_released("w1", gone)
            await running_operator.until(lambda: cluster.ledger("w1") == [])
            cluster.patch_pool("trn1", {"spec": {"hardware": {"instanceType": "inf2.48xlarge"}}})
            await running_operator.until(lambda: cluster.neuron_node("w1")["spec"]["cores"] == 24)
            cluster.delete_pool("trn1")
            await running_operator.until(lambda: cluster.pool("trn1") is None, seconds=30)
            process.process.send_signal(signal.SIGTERM)
            assert await operator_processes.ended(process) == 0
            assert not re.search(r"\b403\b", process.output)  # a port may have these digits
            assert "forbidden" not in process.output.lower()


def _install_rights(client: api_client.Client, stack: contextlib.ExitStack) -> str:
    """Apply the chart's account and roles for the operator; gives a token of the account."""
    rights = "/apis/rbac.authorization.k8s.io/v1"
    inside = f"{rights}/namespaces/{chart.NAMESPACE}"
    accounts = f"/api/v1/namespaces/{chart.NAMESPACE}/serviceaccounts"
    client.request("POST", "/api/v1/namespaces", {"metadata": {"name": chart.NAMESPACE}}).expect(201, 409)
    rendered = chart.render()
    collections = {
        "ServiceAccount": accounts,
        "ClusterRole": f"{rights}/clusterroles",
        "ClusterRoleBinding": f"{rights}/clusterrolebindings",
        "Role": f"{inside}/roles",
        "RoleBinding": f"{inside}/rolebindings",
    }
    for kind, path in collections.items():
        manifest = rendered.one(kind, "operator")
        name = manifest["metadata"]["name"]
        client.delete(f"{path}/{name}")
        client.create(path, manifest)
        stack.callback(client.delete, f"{path}/{name}")
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    issued = client.create(f"{accounts}/{chart.RELEASE}-operator/token", request)
    return str(issued["status"]["token"])
