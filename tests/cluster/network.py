"""Pod networking without a network plugin's image: point-to-point links on each node, static routes between nodes.

The routes are gone after a node's restart; nodes of our image bring them back from /kind/pod-routes, `repair` does it
where addresses have changed.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

MTU = 1500
FILE = "/etc/cni/net.d/10-static.conflist"


@dataclasses.dataclass(frozen=True)
class NodeAddress:
    """One node: its own address and the range its pods get theirs from."""

    name: str
    address: str
    pod_range: str


def read(nodes: Mapping[str, Any]) -> tuple[NodeAddress, ...]:
    """The nodes of a NodeList that have got their pod range already."""
    found = []
    for item in nodes["items"]:
        internal = [entry["address"] for entry in item["status"].get("addresses", []) if entry["type"] == "InternalIP"]
        pod_range = item["spec"].get("podCIDR")
        if internal and pod_range:
            found.append(NodeAddress(item["metadata"]["name"], internal[0], pod_range))
    return tuple(found)


def plugin_configuration(node: NodeAddress) -> str:
    """The node's CNI configuration list."""
    link = {
        "type": "ptp",
        "ipMasq": False,
        "mtu": MTU,
        "ipam": {
            "type": "host-local",
            "dataDir": "/run/cni-ipam-state",
            "ranges": [[{"subnet": node.pod_range}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "0.4.0", "name": "static-ptp", "plugins": [link, ports]})


def routes(node: NodeAddress, nodes: Sequence[NodeAddress]) -> str:
    """One line per other node: its pods' range and the way there."""
    return "".join(f"{other.pod_range} {other.address}\n" for other in nodes if other.name != node.name)


def script(node: NodeAddress, nodes: Sequence[NodeAddress]) -> str:
    """What the node has to run; once or many times. The configuration appears by rename: containerd watches it."""
    return f"""set -e
cat >/kind/pod-routes <<'ROUTES'
{routes(node, nodes)}ROUTES
/usr/local/bin/pod-routes
cat >{FILE}.draft <<'PLUGIN'
{plugin_configuration(node)}
PLUGIN
mv {FILE}.draft {FILE}
"""
