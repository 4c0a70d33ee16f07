"""Values that cannot be meant."""

from typing import Any

from kits.api_server import admission as admission_kit
from kits.requests.words import COUNT, GROUPS, RUN, TOO_MANY, Cases, P, quoted

container = admission_kit.container
pod = admission_kit.pod


def annotated(name: str, value: str) -> dict[str, Any]:
    """Return a pod with this annotation of ours."""
    return pod({P + name: value})


NUMBERS = ["four", "0", "-1", "1.5", "", "04", " 4", "4 ", "+4", "0x4", "1e1", "٤"]
VALUES: Cases = {
    **{f"cores {value!r}": (annotated("cores", value), quoted("cores", value, COUNT)) for value in NUMBERS},
    "cores 10000": (annotated("cores", "10000"), quoted("cores", "10000", TOO_MANY)),
    "cores 129": (annotated("cores", "129"), quoted("cores", "129", TOO_MANY)),
    "cores on two lines": (annotated("cores", "4\n4"), quoted("cores", "4 4", COUNT)),
    "cores endless": (annotated("cores", "9" * 999), quoted("cores", "9" * 60 + "...", COUNT)),
    "devices x": (
        annotated("devices", "x"),
        quoted("devices", "x", ": write a whole number of Neuron devices from 1 to 16"),
    ),
    "devices 17": (
        annotated("devices", "17"),
        quoted("devices", "17", ", and no node has so many: write a whole number of Neuron devices from 1 to 16"),
    ),
    "cores of a container": (
        pod({"cores.neuronspan.dev/app": "many"}),
        'annotation cores.neuronspan.dev/app is "many"' + COUNT,
    ),
    **{
        f"visible-cores {value!r}": (annotated("visible-cores", value), quoted("visible-cores", value, RUN))
        for value in ("3,5", "7-4", "a", "", "1-2-3", "-3", "4-", "04-07")
    },
    "visible-cores past every node": (
        annotated("visible-cores", "120-128"),
        quoted("visible-cores", "120-128", ", and no node has so many cores: the highest core is 127"),
    ),
    **{
        f"group-sizes {value!r}": (annotated("group-sizes", value), quoted("group-sizes", value, GROUPS))
        for value in ("3,,4", "0", "3,0", "3,x", "", "3,4,", "x2", "2x", "-1,3")
    },
    "group-sizes past every node": (
        annotated("group-sizes", "100,29"),
        quoted(
            "group-sizes",
            "100,29",
            ", together 129 NeuronCores, and no node has so many: make the sum at most 128",
        ),
    ),
    "env": (
        pod({P + "cores": "4", P + "env": "both"}),
        quoted(
            "env",
            "both",
            ': write "visible" (the container gets NEURON_RT_VISIBLE_CORES) or "count" (it gets NEURON_RT_NUM_CORES)',
        ),
    ),
    "align": (
        pod({P + "cores": "4", P + "align": "chip"}),
        quoted(
            "align",
            "chip",
            ': write "none" (cores anywhere) or "device" (cores that start on a device boundary) or "link" (cores that '
            "start there, on devices that are connected)",
        ),
    ),
    "pod-group": (
        pod({P + "cores": "4", P + "pod-group": "A B", P + "pod-group-size": "2"}),
        quoted("pod-group", "A B", ': write a name of at most 63 lower-case letters, digits, "-" and "."'),
    ),
    "pod-group-size": (
        pod({P + "cores": "4", P + "pod-group": "g", P + "pod-group-size": "0"}),
        quoted("pod-group-size", "0", ": write the number of pods in the group, from 1 to 9999"),
    ),
    "pod-group alone": (
        pod({P + "cores": "4", P + "pod-group": "g"}),
        "annotations neuronspan.dev/pod-group and neuronspan.dev/pod-group-size belong together: write both or neither",
    ),
    "limit past every node": (
        pod({}, container("app", cores=10000)),
        (
            'container "app" has the limit aws.amazon.com/neuroncore: 10000, and no node has so many: '
            "write a number from 1 to 128"
        ),
    ),
}
