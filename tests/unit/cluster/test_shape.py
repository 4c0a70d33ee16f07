import json

import pytest

from cluster import kind_config, lifecycle, network

NODES = {
    "items": [
        {
            "metadata": {"name": f"n{number}"},
            "spec": {"podCIDR": f"10.244.{number}.0/24"} if number < 2 else {},
            "status": {
                "addresses": [{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": "10.0.0.9"}]
            },
        }
        for number in range(3)
    ]
}
FIRST = network.NodeAddress("n0", "172.18.0.2", "10.244.0.0/24")
SECOND = network.NodeAddress("n1", "172.18.0.3", "10.244.1.0/24")
THIRD = network.NodeAddress("n2", "172.18.0.4", "10.244.2.0/24")


def test_workers_carry_their_pools_label() -> None:
    document = json.loads(kind_config.render(kind_config.Shape("c")))
    roles = [(node["role"], node.get("labels")) for node in document["nodes"]]
    assert roles == [
        ("control-plane", None),
        ("worker", {"neuronspan.dev/pool": "trn1"}),
        ("worker", {"neuronspan.dev/pool": "inf2"}),
    ]


def test_names_of_nodes_are_kinds() -> None:
    shape = kind_config.Shape("c", pools=("a", "b", "d"))
    assert shape.nodes == ("c-control-plane", "c-worker", "c-worker2", "c-worker3")


@pytest.mark.parametrize("own", [True, False], ids=["own image", "public image"])
def test_network_plugin_and_cgroup_driver_follow_the_image(own: bool) -> None:
    document = json.loads(kind_config.render(kind_config.Shape("c", own_image=own)))
    patches = {patch["kind"]: patch for patch in map(json.loads, document["kubeadmConfigPatches"])}
    assert document["networking"]["disableDefaultCNI"] is own
    assert patches["KubeletConfiguration"]["failCgroupV1"] is False
    assert ("resolvConf" in patches["KubeletConfiguration"]) is own
    assert ("InitConfiguration" in patches) is own


def test_nodes_without_a_pod_range_are_left_out() -> None:
    found = network.read(NODES)
    assert [(node.name, node.address, node.pod_range) for node in found] == [
        ("n0", "10.0.0.9", "10.244.0.0/24"),
        ("n1", "10.0.0.9", "10.244.1.0/24"),
    ]


def test_every_node_has_a_route_to_each_other_one() -> None:
    nodes = (FIRST, SECOND, THIRD)
    assert network.routes(SECOND, nodes) == "10.244.0.0/24 172.18.0.2\n10.244.2.0/24 172.18.0.4\n"


def test_plugin_configuration_hands_out_the_nodes_own_range() -> None:
    document = json.loads(network.plugin_configuration(FIRST))
    assert document["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "10.244.0.0/24"}]]


def test_script_puts_the_configuration_in_place_by_rename() -> None:
    script = network.script(FIRST, (FIRST, SECOND))
    assert script.index("pod-routes\n") < script.index(".draft") < script.index("\nmv ")


@pytest.mark.parametrize(
    ("conditions", "ready"),
    [
        ([], False),
        ([{"type": "Ready", "status": "False"}], False),
        ([{"type": "DiskPressure", "status": "True"}], False),
        ([{"type": "DiskPressure", "status": "False"}, {"type": "Ready", "status": "True"}], True),
    ],
    ids=["no word yet", "not ready", "other condition", "ready"],
)
def test_node_is_ready_when_it_says_so(conditions: list[dict[str, str]], ready: bool) -> None:
    assert lifecycle.is_ready({"status": {"conditions": conditions}}) is ready
