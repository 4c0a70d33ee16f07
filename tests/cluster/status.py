"""What runs: nodes, pods and the product's images on the workers, as one text."""

from cluster import kind_cluster, loading, product_images


def report(cluster: kind_cluster.Cluster) -> str:
    """The cluster at this moment."""
    cluster.require()
    parts = [
        cluster.kubectl("get", "nodes", "--label-columns", "neuronspan.dev/pool"),
        cluster.kubectl("get", "pods", "--all-namespaces", "--output", "wide"),
        "".join(images(cluster, node) for node in loading.workers(cluster.nodes())),
        f"export KUBECONFIG={cluster.kubeconfig}\n",
    ]
    return "\n".join(parts)


def images(cluster: kind_cluster.Cluster, node: str) -> str:
    """The product's images on one node, one line each."""
    prefix = loading.full_name(f"{product_images.REPOSITORY}/image").removesuffix("image")
    return "".join(f"{node}  {name}\n" for name in sorted(loading.images_of(cluster, node)) if name.startswith(prefix))
