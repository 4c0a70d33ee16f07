"""Values: what is refused and in which words, and that missing ones mean the documented defaults."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from kits.api_server import chart

Values = dict[str, Any]
Path = tuple[str, ...]
POOL: Values = {"name": "a", "nodeSelector": {"x": "1"}, "instanceType": "trn1.32xlarge"}

CONTRADICTIONS: dict[str, tuple[Values, str]] = {
    "pools with one name": (
        {"pools": [POOL, {**POOL, "nodeSelector": {"x": "2"}}]},
        'pools has two entries with the name "a": give each its own',
    ),
    "pools with one selector": (
        {"pools": [POOL, {**POOL, "name": "b"}]},
        (
            'pools "a" and "b" have the same nodeSelector {"x":"1"}: a node can belong to one pool only, so give each '
            "its own"
        ),
    ),
    "joined cores on trn1": (
        {"pools": [{**POOL, "logicalCoreSize": 2}]},
        (
            'pool "a" has logicalCoreSize 2, but the NeuronCores of trn1.32xlarge cannot be joined: '
            "leave logicalCoreSize out"
        ),
    ),
    "limit below a pool": (
        {"pools": [POOL], "limits": {"coresPerNode": 31}},
        'limits.coresPerNode is 31, but a node of pool "a" has 32 NeuronCores: set limits.coresPerNode to at least 32',
    ),
    "limit below a pool without joined cores": (
        {
            "pools": [{**POOL, "instanceType": "trn2.48xlarge", "logicalCoreSize": 1}],
            "limits": {"coresPerNode": 64},
        },
        (
            'limits.coresPerNode is 64, but a node of pool "a" has 128 NeuronCores: '
            "set limits.coresPerNode to at least 128"
        ),
    ),
    "device limit below a pool": (
        {"pools": [POOL], "limits": {"devicesPerNode": 8}},
        (
            'limits.devicesPerNode is 8, but a node of pool "a" has 16 Neuron devices: '
            "set limits.devicesPerNode to at least 16"
        ),
    ),
    "replicas without election": (
        {"operator": {"leaderElection": {"enabled": False}}},
        (
            "operator.replicas is 2, but operator.leaderElection.enabled is false: the operators would do all work 2 "
            "times over; enable leader election, or set operator.replicas=1"
        ),
    ),
    "election out of order": (
        {"operator": {"leaderElection": {"renewSeconds": 15}}},
        (
            "operator.leaderElection has retrySeconds 2, renewSeconds 15 and leaseSeconds 15, which must grow in this "
            "order, because a leader has to give up before others take over: change the one that is out of order"
        ),
    ),
    "budget that blocks every drain": (
        {"operator": {"podDisruptionBudget": {"minAvailable": 2}}},
        (
            "operator.podDisruptionBudget.minAvailable is 2 with 2 replicas: no node with an operator could ever be "
            "drained; set it to at most 1"
        ),
    ),
    "operator account without name": (
        {"operator": {"serviceAccount": {"create": False}}},
        (
            "operator.serviceAccount.create is false, but operator.serviceAccount.name is empty: "
            "name the service account to use"
        ),
    ),
    "plugin account without name": (
        {"devicePlugin": {"serviceAccount": {"create": False}}},
        (
            "devicePlugin.serviceAccount.create is false, but devicePlugin.serviceAccount.name is empty: "
            "name the service account to use"
        ),
    ),
    "one account for both": (
        {"operator": {"serviceAccount": {"name": "x"}}, "devicePlugin": {"serviceAccount": {"name": "x"}}},
        (
            'operator and devicePlugin have the same service account "x": the admission policies tell them apart by '
            "it, give each its own"
        ),
    ),
    "tag in the repository": (
        {"runtime": {"image": {"repository": "host:5000/x/runtime:1"}}},
        (
            'runtime.image.repository is "host:5000/x/runtime:1": write the tag into runtime.image.tag and the digest '
            "into runtime.image.digest"
        ),
    ),
    "monitor without service": (
        {"metrics": {"service": {"enabled": False}, "serviceMonitor": {"enabled": True}}},
        (
            "metrics.serviceMonitor.enabled is true, but metrics.service.enabled is false: a ServiceMonitor finds pods "
            "through a Service, so enable both or neither"
        ),
    ),
}

SCHEMA: dict[str, tuple[Values, str]] = {
    "unknown value": ({"operators": {}}, "additional properties 'operators' not allowed"),
    "unknown nested value": ({"operator": {"replica": 1}}, "additional properties 'replica' not allowed"),
    "core numbering": ({"coreNumbering": "pod"}, "'/coreNumbering': value must be one of 'node', 'container'"),
    "no replicas": ({"operator": {"replicas": 0}}, "'/operator/replicas': minimum: got 0, want 1"),
    "instance type": (
        {"pools": [{**POOL, "instanceType": "p5.48xlarge"}]},
        "'/pools/0/instanceType': value must be one of 'inf1.xlarge', 'inf1.2xlarge'",
    ),
    "pool without selector": ({"pools": [{**POOL, "nodeSelector": {}}]}, "'/pools/0/nodeSelector': minProperties"),
    "pool without name": (
        {"pools": [{key: POOL[key] for key in POOL if key != "name"}]},
        "'/pools/0': missing property 'name'",
    ),
    "packing": ({"pools": [{**POOL, "policy": {"packing": "any"}}]}, "'/pools/0/policy/packing': value must be one of"),
    "device counts": (
        {"pools": [{**POOL, "policy": {"deviceCounts": "4"}}]},
        "'/pools/0/policy/deviceCounts': value must be one of",
    ),
    "waiting pods": (
        {"cleanup": {"waitingPods": "forget"}},
        "'/cleanup/waitingPods': value must be one of 'keep', 'delete'",
    ),
    "guests as a word": ({"guests": {"enabled": "yes"}}, "'/guests/enabled': got string, want boolean"),
    "relative path": ({"devicePlugin": {"kubeletDirectory": "kubelet"}}, "'/devicePlugin/kubeletDirectory': 'kubelet'"),
    "short digest": ({"operator": {"image": {"digest": "sha256:0"}}}, "'/operator/image/digest': 'sha256:0'"),
}


@pytest.mark.parametrize(("values", "sentence"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_contradiction_is_refused_with_its_sentence(values: Values, sentence: str) -> None:
    with pytest.raises(chart.RenderError) as refusal:
        chart.render(values)
    assert _sentences(refusal.value) == [sentence]


def _sentences(refusal: chart.RenderError) -> list[str]:
    """Return the problems that the chart lists, each in a line of its own."""
    return [line.removeprefix("  - ") for line in str(refusal).splitlines() if line.startswith("  - ")]


@pytest.mark.parametrize(("values", "words"), SCHEMA.values(), ids=SCHEMA)
def test_schema_refuses(values: Values, words: str) -> None:
    with pytest.raises(chart.RenderError) as refusal:
        chart.render(values)
    assert words in str(refusal.value)


def test_contradictions_are_reported_together() -> None:
    values = {"pools": [POOL, POOL], "operator": {"leaderElection": {"enabled": False}}}
    with pytest.raises(chart.RenderError) as refusal:
        chart.render(values)
    words = ("two entries with the name", "have the same nodeSelector", "leaderElection.enabled is false")
    for word, sentence in zip(words, _sentences(refusal.value), strict=True):
        assert word in sentence


def test_cluster_without_mutating_policies_is_refused() -> None:
    with pytest.raises(
        chart.RenderError, match=r"set admission\.mode=auto or webhook, or use Kubernetes 1\.36 or newer"
    ):
        chart.render({"admission": {"mode": "policy"}}, apis=())


@pytest.mark.parametrize(
    "admission",
    [{"mode": "policy", "checkCluster": False}, {"mode": "none"}, {"mode": "webhook"}, {"mode": "auto"}],
    ids=["not checked", "without admission", "webhook", "auto"],
)
def test_cluster_without_mutating_policies_is_accepted_when_told(admission: Values) -> None:
    assert chart.render({"admission": admission}, apis=()).of_kind("Deployment")


def test_cluster_without_service_monitors_is_refused_when_one_is_wanted() -> None:
    with pytest.raises(chart.RenderError, match="install the Prometheus operator first"):
        chart.render({"metrics": {"serviceMonitor": {"enabled": True}}}, apis=(chart.POLICY_API,))


def test_older_kubernetes_is_refused() -> None:
    with pytest.raises(chart.RenderError, match="incompatible"):
        chart.helm("template", "n", str(chart.CHART), "--kube-version", "1.29.14")


DEFAULTS = chart.default_values()
PASSED_ON = {"resources", "updateStrategy"}
"""Values that go into the objects as they are: whoever sets a part of one sets all of it."""


def _leaves(values: Values, path: Path = ()) -> Iterator[Path]:
    for key, value in values.items():
        if isinstance(value, dict) and value and key not in PASSED_ON:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key)


def _null(paths: Iterable[Path]) -> Values:
    values: Values = {}
    for path in paths:
        place = values
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = None
    return values


@pytest.mark.parametrize("key", [key for key in DEFAULTS if key != "pools"])
def test_missing_value_means_its_documented_default(key: str) -> None:
    """`helm upgrade --reuse-values` brings the values of an older chart, in which new ones are missing."""
    assert chart.render({key: None}) == chart.render()


@pytest.mark.parametrize("key", [key for key, value in DEFAULTS.items() if isinstance(value, dict) and value])
def test_missing_values_below_mean_their_documented_defaults(key: str) -> None:
    assert chart.render({key: dict.fromkeys(DEFAULTS[key])}) == chart.render()
    assert chart.render({key: _null(_leaves(DEFAULTS[key]))}) == chart.render()


def test_release_without_any_value_is_the_default_release_without_pools() -> None:
    assert chart.render(dict.fromkeys(DEFAULTS)) == chart.render({"pools": []})


def test_every_value_is_described() -> None:
    described = set(_described((chart.CHART / "values.yaml").read_text()))
    undescribed = [
        path for path in _leaves(DEFAULTS) if not any(path[: end + 1] in described for end in range(len(path)))
    ]
    assert undescribed == []


def _described(text: str) -> Iterator[Path]:
    """Return the keys that come right after a comment which begins with `# --`."""
    place: dict[int, str] = {}
    is_described = False
    for line in text.splitlines():
        content = line.lstrip()
        if content.startswith("#"):
            is_described = is_described or content.startswith("# -- ")
        elif content and not content.startswith("-"):
            indent = len(line) - len(content)
            place = {depth: key for depth, key in place.items() if depth < indent}
            place[indent] = content.partition(":")[0]
            if is_described:
                yield tuple(key for _, key in sorted(place.items()))
            is_described = False
