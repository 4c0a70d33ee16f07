"""Values that are refused, and in which words."""

from typing import Any

import pytest

from kits.api_server import chart

Values = dict[str, Any]
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
    "detection that sees nothing": (
        {"pools": [{"name": "real", "nodeSelector": {"a": "b"}, "instanceType": "detect"}]},
        (
            'pool "real" has instanceType detect, but the device plugin is not shown what its nodes have: '
            "set devicePlugin.hardware.detect to true"
        ),
    ),
    "size of detected hardware": (
        {
            "pools": [{"name": "real", "nodeSelector": {"a": "b"}, "instanceType": "detect", "logicalCoreSize": 1}],
            "devicePlugin": {"hardware": {"detect": True}},
        },
        (
            'pool "real" has logicalCoreSize 1, but detected hardware has the one that is configured on the node: '
            "leave logicalCoreSize out"
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
            'operator.serviceAccount.name and devicePlugin.serviceAccount.name are both "x": '
            "admission tells them apart by it, give each its own"
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
    "pod label that selectors count on": (
        {"operator": {"podLabels": {"app.kubernetes.io/component": "x"}}},
        (
            "operator.podLabels has the label app.kubernetes.io/component, which is the chart's own: "
            "selectors count on it, so leave it out"
        ),
    ),
    "label of all objects that selectors count on": (
        {"commonLabels": {"app.kubernetes.io/name": "x"}},
        (
            "commonLabels has the label app.kubernetes.io/name, which is the chart's own: "
            "selectors count on it, so leave it out"
        ),
    ),
    "requests above the limits": (
        {"devicePlugin": {"resources": {"limits": {"memory": "32Mi"}}}},
        (
            "devicePlugin.resources.requests.memory is 64Mi, above devicePlugin.resources.limits.memory, which is "
            "32Mi: lower the request or raise the limit"
        ),
    ),
    "privilege without its escalation": (
        {"devicePlugin": {"securityContext": {"privileged": True}}},
        (
            "devicePlugin.securityContext has privileged: true, which cannot be without privilege escalation: "
            "set allowPrivilegeEscalation to true or null"
        ),
    ),
    "capability without its escalation": (
        {"operator": {"securityContext": {"capabilities": {"add": ["CAP_SYS_ADMIN"]}}}},
        (
            "operator.securityContext adds the capability CAP_SYS_ADMIN, which cannot be without privilege escalation: "
            "set allowPrivilegeEscalation to true or null"
        ),
    ),
    "root that is not root": (
        {"operator": {"podSecurityContext": {"runAsUser": 0}}},
        (
            "operator.podSecurityContext has runAsNonRoot: true and runAsUser: 0: kubelet would not start the "
            "container; change one of them"
        ),
    ),
    "names of no server": (
        {"operator": {"dnsPolicy": "None"}},
        "operator.dnsPolicy is None, but operator.dnsConfig.nameservers is empty: name at least one server",
    ),
    "one port of the node for both": (
        {"operator": {"hostNetwork": True}, "devicePlugin": {"hostNetwork": True}},
        (
            "operator and devicePlugin are both in the network of their node, with the same port 8080: "
            "set another operator.port"
        ),
    ),
    "one rule of spreading twice": (
        {
            "operator": {
                "topologySpreadConstraints": [
                    {"maxSkew": skew, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"} for skew in (1, 2)
                ]
            }
        },
        (
            "operator.topologySpreadConstraints has two entries with topologyKey zone and whenUnsatisfiable "
            "DoNotSchedule: make one of them"
        ),
    ),
    "volume that the pod has": (
        {"devicePlugin": {"extraVolumes": [{"name": "cdi", "emptyDir": {}}]}},
        'devicePlugin.extraVolumes has a volume "cdi", which the pod has already: give it another name',
    ),
    "mount of no volume": (
        {"operator": {"extraVolumeMounts": [{"name": "a", "mountPath": "/a"}]}},
        'operator.extraVolumeMounts mounts "a", but there is no such volume: add it to operator.extraVolumes',
    ),
    "mount over a mount": (
        {
            "devicePlugin": {
                "extraVolumes": [{"name": "a", "emptyDir": {}}],
                "extraVolumeMounts": [{"name": "a", "mountPath": "/run/neuronspan"}],
            }
        },
        (
            "devicePlugin.extraVolumeMounts has the path /run/neuronspan, where something is mounted already: "
            "choose another one"
        ),
    ),
    "both halves of a rollout": (
        {"devicePlugin": {"updateStrategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 2}}}},
        (
            "devicePlugin.updateStrategy.rollingUpdate has maxSurge 1 and maxUnavailable 2: a DaemonSet has one of "
            "them, so leave out maxUnavailable"
        ),
    ),
    "rollout that replaces nothing": (
        {"devicePlugin": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": "0%"}}}},
        (
            "devicePlugin.updateStrategy.rollingUpdate has maxUnavailable 0% and no maxSurge: no plugin could ever be "
            "replaced; set one of them to at least 1"
        ),
    ),
    "two plugins on one port": (
        {"devicePlugin": {"hostNetwork": True, "updateStrategy": {"rollingUpdate": {"maxSurge": 1}}}},
        (
            "devicePlugin.updateStrategy.rollingUpdate.maxSurge is 1, but devicePlugin.hostNetwork is true: two "
            "plugins of a node cannot have the same port; use maxUnavailable"
        ),
    ),
    "budget of two kinds": (
        {"operator": {"replicas": 3, "podDisruptionBudget": {"minAvailable": 2, "maxUnavailable": 1}}},
        (
            "operator.podDisruptionBudget has minAvailable 2 and maxUnavailable 1: a budget has one of them, "
            "so leave out minAvailable"
        ),
    ),
    "budget that lets none be missing": (
        {"operator": {"podDisruptionBudget": {"maxUnavailable": "0%"}}},
        (
            "operator.podDisruptionBudget.maxUnavailable is 0%: no node with an operator could ever be drained; "
            "set it to at least 1"
        ),
    ),
    "budget that rounds up to all": (
        {"operator": {"podDisruptionBudget": {"minAvailable": "51%"}}},
        (
            "operator.podDisruptionBudget.minAvailable is 51% with 2 replicas: no node with an operator could ever be "
            "drained; set it to at most 1"
        ),
    ),
    "two monitors": (
        {"metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}},
        (
            "metrics.serviceMonitor.enabled and metrics.podMonitor.enabled are both true: every pod would be scraped "
            "twice; enable one of them"
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
    "empty part of a name": ({"operator": {"serviceAccount": {"name": "a..b"}}}, "'/operator/serviceAccount/name'"),
    "empty part of a pool's name": ({"pools": [{**POOL, "name": "a..b"}]}, "'/pools/0/name'"),
    "label with a space": ({"commonLabels": {"team": "a b"}}, "'/commonLabels/team'"),
    "label with a space in its name": ({"operator": {"podLabels": {"a b": "x"}}}, "'/operator/podLabels'"),
    "annotation of Helm's": ({"commonAnnotations": {"helm.sh/hook": "test"}}, "'/commonAnnotations/helm.sh~1hook'"),
    "label of a node with a space": (
        {"devicePlugin": {"nodeSelector": {"a": "b c"}}},
        "'/devicePlugin/nodeSelector/a'",
    ),
    "bad quantity": ({"operator": {"resources": {"limits": {"memory": "5x"}}}}, "'/operator/resources/limits/memory'"),
    "negative quantity": ({"tests": {"resources": {"limits": {"cpu": -1}}}}, "'/tests/resources/limits/cpu'"),
    "path that climbs": ({"devicePlugin": {"kubeletDirectory": "/a/../b"}}, "'/devicePlugin/kubeletDirectory'"),
    "toleration of nothing": ({"tests": {"tolerations": [{"value": "a"}]}}, "'/tests/tolerations/0'"),
    "volume of no kind": ({"operator": {"extraVolumes": [{"name": "a"}]}}, "'/operator/extraVolumes/0'"),
    "registry as a list": ({"global": {"imageRegistry": ["a"]}}, "'/global/imageRegistry'"),
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
