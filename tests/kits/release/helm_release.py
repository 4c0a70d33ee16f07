"""The chart installed into a kind cluster with the images of this checkout, one pool per worker."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from cluster import kind_cluster, kind_config, loading, process, product_images, tools
from kits.release import cluster_access
from neuronspan import names

CHART = pathlib.Path(__file__).parents[3] / "charts" / "neuronspan"
RELEASE = "neuronspan"
NAMESPACE = "neuronspan-system"
INSTANCE_TYPES = {"trn1": "trn1.32xlarge", "inf2": "inf2.48xlarge"}
"""The simulated hardware of each pool's worker: 32 and 24 NeuronCores."""
COMPONENTS = {"operator": "operator", "deviceplugin": "devicePlugin", "runtime": "runtime"}
"""Where the chart's values keep each image."""
INSTALL_SECONDS = 300.0
REGISTERED_SECONDS = 120.0


def install(cluster: cluster_access.Cluster, hardware: Mapping[str, Any] | None = None, **types: str) -> None:
    """Build and load the images, install or upgrade the chart, wait until every worker has registered its NeuronCores.

    What is there already, from the same sources, is not made again. ``hardware`` is devicePlugin.hardware of the
    chart's values, ``types`` what a pool has in place of its instance type.
    """
    product_images.build_all()
    images = product_images.loadable()
    loading.load(kind_cluster.Cluster(cluster.name), images)
    # helm creates CRDs once and never again; a cluster that is kept must follow the checkout
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--filename", str(CHART / "crds"))
    command: list[str | pathlib.Path] = [
        tools.program("helm"),
        "upgrade",
        "--install",
        RELEASE,
        CHART,
        "--namespace",
        NAMESPACE,
    ]
    command += ["--create-namespace", "--kubeconfig", cluster.kubeconfig, "--values", "-"]
    command += ["--wait", "--timeout", f"{INSTALL_SECONDS:.0f}s"]
    process.run(command, timeout=INSTALL_SECONDS + 60, stdin=json.dumps(values(images, hardware, **types)).encode())
    cluster.wait_for(
        lambda: registered(cluster) == set(kind_config.Shape(cluster.name).workers),
        seconds=REGISTERED_SECONDS,
        what=lambda: f"NeuronNodes registered on both workers, registered are {registered(cluster) or 'none'}",
    )


def values(
    images: Mapping[str, tuple[str, ...]], hardware: Mapping[str, Any] | None = None, **types: str
) -> dict[str, Any]:
    """The chart's values: pools by the workers' labels, images by their content, so that new ones are rolled out."""
    pools = [
        {"name": pool, "nodeSelector": {kind_config.POOL_LABEL: pool}, "instanceType": instance_type}
        for pool, instance_type in (INSTANCE_TYPES | types).items()
    ]
    chosen: dict[str, Any] = {"pools": pools, "image": {"pullPolicy": "Never"}}
    for reference in images:
        repository, _, tag = reference.rpartition(":")
        chosen[COMPONENTS[repository.rpartition("/")[2]]] = {"image": {"tag": tag}}
    if hardware is not None:
        chosen.setdefault("devicePlugin", {})["hardware"] = dict(hardware)
    return chosen


def registered(cluster: cluster_access.Cluster) -> set[str]:
    """The nodes whose plugin has registered its NeuronCores."""
    return {
        item["metadata"]["name"]
        for item in cluster.list(f"{names.NEURON_NODES}.{names.GROUP}")
        if any(
            condition["type"] == "Registered" and condition["status"] == "True"
            for condition in item.get("status", {}).get("conditions", [])
        )
    }
