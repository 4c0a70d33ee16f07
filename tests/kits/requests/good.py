"""Requests that can be met, with the limits that each container gets."""

from typing import Any

from kits.api_server import admission as admission_kit
from kits.requests.words import P

CORES, DEVICES = admission_kit.CORES, admission_kit.DEVICES
container = admission_kit.container
pod = admission_kit.pod

GOOD: dict[str, tuple[dict[str, Any], dict[str, dict[str, str]]]] = {
    "cores": (pod({P + "cores": "4"}), {"app": {CORES: "4"}}),
    "all cores of the largest node": (pod({P + "cores": "128"}), {"app": {CORES: "128"}}),
    "devices": (pod({P + "devices": "2"}), {"app": {DEVICES: "2"}}),
    "a run": (pod({P + "visible-cores": "4-7"}), {"app": {CORES: "4"}}),
    "one certain core": (pod({P + "visible-cores": "0"}), {"app": {CORES: "1"}}),
    "the highest core": (pod({P + "visible-cores": "127"}), {"app": {CORES: "1"}}),
    "groups": (pod({P + "group-sizes": "3,4,1"}), {"app": {CORES: "8"}}),
    "repeated groups": (pod({P + "group-sizes": "4x2,1"}), {"app": {CORES: "9"}}),
    "choices": (
        pod({P + "cores": "4", P + "env": "count", P + "align": "device", P + "visible-cores": "4-7"}),
        {"app": {CORES: "4"}},
    ),
    "pod group": (
        pod({P + "cores": "4", P + "pod-group": "train", P + "pod-group-size": "8"}),
        {"app": {CORES: "4"}},
    ),
    "first of two containers": (
        pod({P + "cores": "4"}, container("a"), container("b")),
        {"a": {CORES: "4"}, "b": {}},
    ),
    "second of two containers": (
        pod({"cores.neuronspan.dev/b": "4"}, container("a"), container("b")),
        {"a": {}, "b": {CORES: "4"}},
    ),
    "cores here and devices there": (
        pod({P + "cores": "3", "devices.neuronspan.dev/b": "2"}, container("a"), container("b")),
        {"a": {CORES: "3"}, "b": {DEVICES: "2"}},
    ),
    "init container of the same size": (
        pod({P + "cores": "4", "cores.neuronspan.dev/i": "4"}, init=[container("i")]),
        {"i": {CORES: "4"}, "app": {CORES: "4"}},
    ),
    "smaller init container": (
        pod({P + "cores": "5", "cores.neuronspan.dev/i": "2"}, init=[container("i")]),
        {"i": {CORES: "2"}, "app": {CORES: "5"}},
    ),
    "init container alone": (
        pod({"cores.neuronspan.dev/i": "4"}, init=[container("i")]),
        {"i": {CORES: "4"}, "app": {}},
    ),
    "sidecar with fewer cores": (
        pod({P + "cores": "4", "cores.neuronspan.dev/s": "2"}, init=[container("s", sidecar=True)]),
        {"s": {CORES: "2"}, "app": {CORES: "4"}},
    ),
    "sidecar with more cores": (
        pod({P + "cores": "2", "cores.neuronspan.dev/s": "4"}, init=[container("s", sidecar=True)]),
        {"s": {CORES: "4"}, "app": {CORES: "2"}},
    ),
    "sidecar takes over from an init container": (
        pod({}, container("app", cores=2), init=[container("i", cores=4), container("s", cores=4, sidecar=True)]),
        {"i": {CORES: "4"}, "s": {CORES: "4"}, "app": {CORES: "2"}},
    ),
    "second container after the first has taken over": (
        pod({}, container("a", cores=4), container("b", cores=1), init=[container("i", cores=4)]),
        {"i": {CORES: "4"}, "a": {CORES: "4"}, "b": {CORES: "1"}},
    ),
    "init container with devices, app with cores": (
        pod({}, container("app", cores=1), init=[container("i", devices=2)]),
        {"i": {DEVICES: "2"}, "app": {CORES: "1"}},
    ),
    "cores as on AWS": (pod({}, container("app", cores=4)), {"app": {CORES: "4"}}),
    "devices as on AWS": (pod({}, container("app", devices=2)), {"app": {DEVICES: "2"}}),
    "annotation and equal limit": (pod({P + "cores": "4"}, container("app", cores=4)), {"app": {CORES: "4"}}),
    "cores for one and a limit of none": (
        pod({P + "cores": "4"}, container("app"), container("b", cores=0)),
        {"app": {CORES: "4"}, "b": {CORES: "0"}},
    ),
}
