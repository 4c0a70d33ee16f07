"""What users upgrade from: the chart, an archive of what commit f8a6f13 had, and the device IDs that plugins gave then.

It is the last chart before versions of Kubernetes below 1.36 were thought of; no release was made of it. Its plugin is
today's image with one difference, which kubelet remembers for as long as a pod runs: cores were ``nc-4``, not ``4``.
"""

import pathlib
import tarfile

from kits.release import cluster_access

NODE_FOLDER = "/run/neuronspan/predecessor"
"""On the node, and in the plugin's container, which has that folder of the node."""
FORMER_IDS = """
from neuronspan import device_ids
present = device_ids.ids_of
def former(resource, span, hardware, kept=()):
    prefix = "nd-" if resource.endswith("/neuron") else "nc-"
    return tuple(prefix + each for each in present(resource, span, hardware))
device_ids.ids_of = former
"""
"""Python runs a ``sitecustomize`` that it finds before anything else."""
PLUGIN_ENVIRONMENT = [{"name": "PYTHONPATH", "value": f"{NODE_FOLDER}:/opt/neuronspan"}]
"""Makes the plugin one of then, once ``FORMER_IDS`` is there."""

ARCHIVE = pathlib.Path(__file__).parent / "assets" / "predecessor.tar.gz"


def prepare(cluster: cluster_access.Cluster, node: str) -> None:
    """Put on a node what makes its plugin one of then."""
    written = f"mkdir -p {NODE_FOLDER} && cat > {NODE_FOLDER}/sitecustomize.py"
    cluster.node_execute(node, "sh", "-c", written, stdin=FORMER_IDS)


def chart(directory: pathlib.Path) -> pathlib.Path:
    """Write the chart into a directory; returns where it is."""
    with tarfile.open(ARCHIVE) as packed:
        packed.extractall(directory, filter="data")
    return directory / "charts" / "neuronspan"
