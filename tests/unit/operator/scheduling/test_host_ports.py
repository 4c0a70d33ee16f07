"""Ports of the node that a pod's containers take for themselves."""

from typing import Any

import pytest

from kits.manifests import builders, clusters
from neuronspan_operator.objects import pods
from neuronspan_operator.scheduling import host_ports


def _port(port: int = 80, protocol: str = "TCP", address: str = "") -> dict[str, Any]:
    return {"containerPort": 1, "hostPort": port, "protocol": protocol, "hostIP": address}


def _pod(name: str, *ports: dict[str, Any], sidecar: str = "", **spec: Any) -> pods.PodView:
    """A pod whose container has these ports; ``sidecar`` moves them to an init container of that restart policy."""
    container = {**builders.container("p", cores=1), "ports": list(ports)}
    manifest = builders.make_pod(name, cores=1)
    if sidecar:
        manifest["spec"]["initContainers"] = [{**container, "restartPolicy": sidecar}]
    else:
        manifest["spec"]["containers"].append(container)
    manifest["spec"] |= spec
    return pods.read(manifest)


def _clash(pod: pods.PodView, other: pods.PodView) -> bool:
    cluster = clusters.make_cluster([clusters.make_node("w1")], [("w1", other)])
    found = clusters.verdicts(host_ports.for_pod(pod, cluster), cluster)
    assert found in ({}, {"w1": "node(s) didn't have free ports for the requested pod ports"})
    return bool(found)


@pytest.mark.parametrize(
    ("mine", "other", "clash"),
    [
        pytest.param(_port(), _port(), True, id="same"),
        pytest.param(_port(80), _port(81), False, id="other port"),
        pytest.param(_port(), _port(protocol="UDP"), False, id="other protocol"),
        pytest.param(_port(), _port(protocol=""), True, id="TCP is the default"),
        pytest.param(_port(address="10.0.0.1"), _port(address="10.0.0.2"), False, id="other address"),
        pytest.param(_port(address="10.0.0.1"), _port(address="10.0.0.1"), True, id="same address"),
        pytest.param(_port(address="10.0.0.1"), _port(), True, id="all addresses are taken"),
        pytest.param(_port(), _port(address="10.0.0.1"), True, id="all addresses are wanted"),
        pytest.param(_port(address="0.0.0.0"), _port(address="10.0.0.1"), True, id="all addresses, written"),
        pytest.param(
            _port(address="::"), _port(address="10.0.0.1"), False, id="the other family's address is one address"
        ),
        pytest.param(_port(0), _port(0), False, id="no host port"),
    ],
)
def test_ports_clash_by_address_protocol_and_number(
    mine: dict[str, Any], other: dict[str, Any], *, clash: bool
) -> None:
    assert _clash(_pod("web", mine), _pod("old", other)) is clash


def test_any_port_of_any_pod_can_clash() -> None:
    assert _clash(_pod("web", _port(1), _port(2)), _pod("old", _port(3), _port(2)))


@pytest.mark.parametrize(
    ("policy", "clash"), [("Always", True), ("Never", False)], ids=["sidecar", "init container that ends"]
)
def test_ports_of_init_containers_count_while_the_pod_runs(policy: str, *, clash: bool) -> None:
    assert _clash(_pod("web", _port(), sidecar=policy), _pod("old", _port())) is clash
    assert _clash(_pod("web", _port()), _pod("old", _port(), sidecar=policy)) is clash


def test_pod_on_the_nodes_own_network_takes_its_container_ports() -> None:
    on_host = _pod("web", {"containerPort": 80}, hostNetwork=True)
    assert _clash(on_host, _pod("old", _port(80)))


def test_pod_without_host_ports_has_no_filter() -> None:
    cluster = clusters.make_cluster([clusters.make_node("w1")])
    assert host_ports.for_pod(_pod("web", {"containerPort": 80}), cluster) is None
