"""Requests whose parts do not go together."""

from kits.api_server import admission as admission_kit
from kits.requests.words import DISAGREE, EITHER, LASTING, PLACE, Cases, P, quoted, reuse

container = admission_kit.container
pod = admission_kit.pod

CONTRADICTIONS: Cases = {
    "more init containers than a grant can name": (
        pod({}, container("app", cores=1), init=[container(f"init-{number}", cores=1) for number in range(65)]),
        (
            "65 init containers ask for the same Neuron resource, and a grant names at most 64: do several steps in "
            "one container"
        ),
    ),
    "unknown container": (
        pod({"cores.neuronspan.dev/web": "2"}, container("app"), init=[container("setup")]),
        'annotation cores.neuronspan.dev/web names container "web", which the pod does not have: use one of setup, app',
    ),
    "unknown container with devices": (
        pod({"devices.neuronspan.dev/web": "2"}),
        'annotation devices.neuronspan.dev/web names container "web", which the pod does not have: use one of app',
    ),
    "annotation and limit": (
        pod({P + "cores": "4"}, container("app", cores=2)),
        'container "app" is asked for by neuronspan.dev/cores: 4 and by limit aws.amazon.com/neuroncore: 2' + DISAGREE,
    ),
    "two annotations": (
        pod({P + "cores": "4", "cores.neuronspan.dev/app": "3"}),
        'container "app" is asked for by cores.neuronspan.dev/app: 3 and by neuronspan.dev/cores: 4' + DISAGREE,
    ),
    "number and run": (
        pod({P + "cores": "3", P + "visible-cores": "4-7"}),
        'container "app" is asked for by neuronspan.dev/cores: 3 and by neuronspan.dev/visible-cores: 4-7' + DISAGREE,
    ),
    "number and groups": (
        pod({P + "cores": "7", P + "group-sizes": "3,4,1"}),
        'container "app" is asked for by neuronspan.dev/cores: 7 and by neuronspan.dev/group-sizes: 3,4,1' + DISAGREE,
    ),
    "cores and devices": (
        pod({P + "cores": "4", P + "devices": "2"}),
        'container "app" is asked for by neuronspan.dev/cores: 4 and by neuronspan.dev/devices: 2' + EITHER,
    ),
    "run and devices": (
        pod({P + "visible-cores": "4-7", P + "devices": "2"}),
        'container "app" is asked for by neuronspan.dev/devices: 2 and by neuronspan.dev/visible-cores: 4-7' + EITHER,
    ),
    "cores and devices as limits": (
        pod({}, container("app", cores=2, devices=1)),
        'container "app" is asked for by limit aws.amazon.com/neuroncore: 2 and by limit aws.amazon.com/neuron: 1'
        + EITHER,
    ),
    "cores and a limit of devices": (
        pod({P + "cores": "4"}, container("app", devices=1)),
        'container "app" is asked for by neuronspan.dev/cores: 4 and by limit aws.amazon.com/neuron: 1' + EITHER,
    ),
    "annotation and a limit of none": (
        pod({P + "cores": "4"}, container("app", cores=0)),
        'container "app" is asked for by neuronspan.dev/cores: 4 and by limit aws.amazon.com/neuroncore: 0' + DISAGREE,
    ),
    "cores and a limit of no devices": (
        pod({P + "cores": "4"}, container("app", devices=0)),
        'container "app" is asked for by neuronspan.dev/cores: 4 and by limit aws.amazon.com/neuron: 0' + EITHER,
    ),
    "container that is not there": (
        pod({P + "cores": "4", P + "container": "web"}, container("app"), container("b")),
        quoted("container", "web", LASTING + "app, b"),
    ),
    "container that ends": (
        pod(
            {P + "cores": "4", P + "container": "setup"},
            init=[container("setup"), container("proxy", sidecar=True)],
        ),
        quoted("container", "setup", LASTING + "proxy, app"),
    ),
    "app smaller than init": (
        pod({"cores.neuronspan.dev/setup": "4", P + "cores": "2"}, init=[container("setup")]),
        reuse("app", 2, "setup", 4),
    ),
    "second init smaller than first": (
        pod(
            {"cores.neuronspan.dev/a": "4", "cores.neuronspan.dev/b": "3", P + "cores": "4"},
            init=[container("a"), container("b")],
        ),
        reuse("b", 3, "a", 4),
    ),
    "sidecar smaller than init": (
        pod({}, container("app", cores=4), init=[container("a", cores=4), container("s", cores=1, sidecar=True)]),
        reuse("s", 1, "a", 4),
    ),
    "second container smaller than init": (
        pod({}, container("quiet"), container("app", cores=3), init=[container("a", cores=4)]),
        reuse("app", 3, "a", 4),
    ),
    "devices smaller than init": (
        pod({}, container("app", devices=1), init=[container("a", devices=2)]),
        reuse("app", 1, "a", 2),
    ),
    "node name": (pod({P + "cores": "4"}, nodeName="w1"), PLACE),
    "node name with limits": (pod({}, container("app", cores=4), nodeName="w1"), PLACE),
}
