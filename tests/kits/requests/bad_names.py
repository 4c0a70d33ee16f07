"""What nobody would read, or nobody would ever schedule."""

from typing import Any

from kits.api_server import admission as admission_kit
from kits.requests.words import Cases, P

LET_IN = "or have such pods let in with the chart value guests.enabled=true"

container = admission_kit.container
pod = admission_kit.pod


def labelled(labels: dict[str, str]) -> dict[str, Any]:
    """Return a pod with these labels."""
    manifest = pod({P + "cores": "4"})
    return {**manifest, "metadata": {**manifest["metadata"], "labels": labels}}


WORDS: Cases = {
    "misspelt annotation": (
        pod({P + "core": "4"}),
        "annotation neuronspan.dev/core does not exist: use one of neuronspan.dev/cores, neuronspan.dev/devices, ",
    ),
    "misspelt annotation of a container": (
        pod({"core.neuronspan.dev/app": "4"}),
        (
            "annotation core.neuronspan.dev/app does not exist: "
            "use one of cores.neuronspan.dev/app, devices.neuronspan.dev/app"
        ),
    ),
    "annotation of no container": (
        pod({"cores.neuronspan.dev": "4"}, container("a"), container("b")),
        (
            "annotation cores.neuronspan.dev names no container: "
            "write cores.neuronspan.dev/CONTAINER, where CONTAINER is one of a, b"
        ),
    ),
    "annotation of nothing": (
        pod({"neuronspan.dev": "4"}),
        "annotation neuronspan.dev does not exist: use one of neuronspan.dev/cores, neuronspan.dev/devices, ",
    ),
    "annotations as labels": (
        labelled({P + "cores": "4", "devices.neuronspan.dev/app": "2"}),
        (
            "label devices.neuronspan.dev/app means nothing: write it into the annotations; "
            "label neuronspan.dev/cores means nothing: write it into the annotations"
        ),
    ),
    "limit of another name": (
        pod({}, {**container("app"), "resources": {"limits": {"aws.amazon.com/neurondevice": "1"}}}),
        (
            'container "app" has the limit aws.amazon.com/neurondevice, which no node has: '
            "use aws.amazon.com/neuroncore for NeuronCores, or aws.amazon.com/neuron for whole Neuron devices"
        ),
    ),
    "scheduler of its own": (
        pod({P + "cores": "4"}, schedulerName="volcano"),
        (
            'spec.schedulerName is "volcano", but pods that ask for NeuronCores are bound by neuronspan: '
            f"remove spec.schedulerName, {LET_IN}"
        ),
    ),
    "resource claims": (
        pod({}, container("app", cores=4), resourceClaims=[{"name": "gpu", "resourceClaimName": "gpu"}]),
        (
            "spec.resourceClaims are allocated by the cluster's own scheduler, and pods that ask for NeuronCores are "
            f"bound by neuronspan: remove spec.resourceClaims, {LET_IN}"
        ),
    ),
    "our scheduler for nothing": (
        pod({}, schedulerName="neuronspan"),
        (
            'spec.schedulerName is "neuronspan", which schedules pods that ask for NeuronCores, and no container asks '
            "for any: add neuronspan.dev/cores, or remove spec.schedulerName"
        ),
    ),
    "gate of a guest": (
        pod({P + "cores": "4"}, schedulingGates=[{"name": P + "cores"}]),
        (
            "scheduling gate neuronspan.dev/cores is for pods that another scheduler binds, and nobody would ever "
            "remove it here: leave it out"
        ),
    ),
    "nothing asked for": (
        pod({P + "env": "count"}),
        (
            "annotation neuronspan.dev/env says how NeuronCores are given, but no container asks for any: "
            "add neuronspan.dev/cores, or remove it"
        ),
    ),
    "copied grant": (
        pod({P + "cores": "4", P + "grant": "{}"}),
        "annotation neuronspan.dev/grant is written by the operator alone, once it has decided: remove it",
    ),
    "limits of unknown names": (
        pod(
            {},
            {
                **container("app"),
                "resources": {"limits": {"aws.amazon.com/neurons": "1", "aws.amazon.com/neuroncores": "1"}},
            },
        ),
        "; ".join(
            f'container "app" has the limit aws.amazon.com/{name}, which no node has: '
            "use aws.amazon.com/neuroncore for NeuronCores, or aws.amazon.com/neuron for whole Neuron devices"
            for name in ("neuroncores", "neurons")
        ),
    ),
}
