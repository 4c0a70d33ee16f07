"""Stands in for the `kind` command where pytest-kind calls it, so that its fixture gets the cluster of this tool.

pytest-kind asks four things: which clusters there are, to create one, to delete one, to load an image.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from cluster import errors, kind_cluster, lifecycle, loading


def main(words: Sequence[str]) -> str:
    """Do what `kind <words>` would do; returns what it prints. ClusterError on a question we do not know."""
    parser = argparse.ArgumentParser(prog="kind-shim", exit_on_error=False)
    parser.add_argument("--name", default="")
    parser.add_argument("--kubeconfig", type=Path)
    parser.add_argument("--image", help="ignored: the node image is the cluster tool's choice")
    options, command = parser.parse_known_args(words)
    match command:
        case ["get", "clusters"]:
            return ""  # none that needs no creation: `up` also repairs and renews
        case ["create", "cluster"]:
            cluster = lifecycle.up(options.name)
            if options.kubeconfig and options.kubeconfig.resolve() != cluster.kubeconfig:
                shutil.copyfile(cluster.kubeconfig, options.kubeconfig)
        case ["delete", "cluster"]:
            lifecycle.down(options.name)
        case ["load", "docker-image", *references]:
            loading.load(kind_cluster.Cluster(options.name), dict.fromkeys(references, ()))
        case unknown:
            raise errors.ClusterError(f"kind-shim stands in for pytest-kind's questions only, not for {unknown}")
    return ""
