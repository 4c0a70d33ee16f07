"""Monitors, alerts and the dashboard: they look at the chart's pods, and ask for nothing that is not exported."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from kits.api_server import chart
from neuronspan_agent import meters
from neuronspan_deviceplugin import metrics as plugin_metrics
from neuronspan_operator import metrics as operator_metrics
from neuronspan_operator import reasons

FROM_PROMETHEUS = {"namespace", "pod"}
"""Labels that Prometheus gives to what it scrapes from a pod."""
SERIES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def _exported() -> dict[str, set[str]]:
    """Return every series of both agents with its labels."""
    registries: tuple[meters.Meters, ...] = (operator_metrics.Metrics(), plugin_metrics.Metrics())
    found: dict[str, set[str]] = {}
    for agent in registries:
        for family in agent.registry.collect():
            for ending in SERIES.get(family.type, ()):
                extra = {"le"} if ending == "_bucket" else set()
                found[f"{family.name}{ending}"] = _labels(agent, family.name) | extra
    return found


def _labels(agent: meters.Meters, name: str) -> set[str]:
    for collector, names in agent.registry._collector_to_names.items():
        if name in names and hasattr(collector, "_labelnames"):
            return set(collector._labelnames)
    return {"node", "state"} if name == "neuronspan_node_cores" else {"node"}  # of the collector of nodes


def _alerts() -> list[dict[str, Any]]:
    rule = chart.render({"metrics": {"prometheusRule": {"enabled": True}}}).of_kind("PrometheusRule")[0]
    (group,) = rule["spec"]["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def _dashboard() -> dict[str, Any]:
    (config,) = chart.render({"metrics": {"dashboard": {"enabled": True}}}).of_kind("ConfigMap")
    (text,) = config["data"].values()
    board: dict[str, Any] = json.loads(text)
    return board


def _queries() -> Iterator[str]:
    yield from (alert["expr"] for alert in _alerts())
    yield from (target["expr"] for panel in _dashboard()["panels"] for target in panel["targets"])


def test_queries_name_only_series_that_are_exported_with_the_labels_that_they_have() -> None:
    exported = _exported()
    for query in _queries():
        series = re.findall(r"(neuronspan_\w+)\{(.*?)\}", query)
        assert len(series) == query.count("neuronspan_") > 0, query
        grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \((.*?)\)", query))))
        for name, selectors in series:
            assert name in exported, query
            known = exported[name] | FROM_PROMETHEUS
            assert set(re.findall(r"(\w+)[!=]?[=~]", selectors)) <= known, query
            assert grouped <= known, query


def test_queries_name_only_outcomes_and_states_that_exist() -> None:
    outcomes = {*reasons.Outcome, "ok", "failed", "refused"}
    states = {"Granted", "Confirmed", "Releasing", "Free"}
    for query in _queries():
        assert set(re.findall(r'outcome!?="(\w+)"', query)) <= outcomes, query
        assert set(re.findall(r'state!?="(\w+)"', query)) <= states, query


def test_queries_are_balanced_and_look_at_one_namespace() -> None:
    for query in _queries():
        assert all(query.count(left) == query.count(right) for left, right in ("()", "[]", "{}")), query
        assert query.count("namespace=") == query.count("neuronspan_"), query


def test_alerts_are_of_the_namespace_of_the_release_and_say_what_they_mean() -> None:
    for alert in _alerts():
        assert f'namespace="{chart.NAMESPACE}"' in alert["expr"]
        assert set(alert["annotations"]) == {"summary", "description"}
        assert alert["labels"]["severity"] in {"critical", "warning", "info"}


def test_alerts_get_the_labels_of_their_receiver() -> None:
    values = {
        "metrics": {"prometheusRule": {"enabled": True, "labels": {"release": "p"}, "alertLabels": {"team": "x"}}}
    }
    (rule,) = chart.render(values).of_kind("PrometheusRule")
    assert rule["metadata"]["labels"]["release"] == "p"
    assert {alert["labels"]["team"] for alert in rule["spec"]["groups"][0]["rules"]} == {"x"}


def test_dashboard_is_found_by_the_sidecar_and_its_panels_do_not_overlap() -> None:
    values = {"metrics": {"dashboard": {"enabled": True, "namespace": "grafana", "annotations": {"folder": "x"}}}}
    (config,) = chart.render(values).of_kind("ConfigMap")
    assert config["metadata"]["namespace"] == "grafana"
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert config["metadata"]["annotations"] == {"folder": "x"}
    places = [panel["gridPos"] for panel in _dashboard()["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("component", ["operator", "deviceplugin"])
def test_pod_monitor_finds_the_pods_themselves(component: str) -> None:
    values = {"metrics": {"podMonitor": {"enabled": True, "interval": "5s"}, "service": {"enabled": False}}}
    rendered = chart.render(values)
    assert rendered.of_kind("Service") == []
    spec = rendered.one("PodMonitor", component)["spec"]
    kind = "Deployment" if component == "operator" else "DaemonSet"
    template = rendered.one(kind, component)["spec"]["template"]
    assert spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert spec["namespaceSelector"] == {"matchNames": [chart.NAMESPACE]}
    (end,) = spec["podMetricsEndpoints"]
    assert end == {"port": template["spec"]["containers"][0]["ports"][0]["name"], "path": "/metrics", "interval": "5s"}


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor", "PrometheusRule"])
def test_kind_that_the_cluster_lacks_is_refused_with_its_name(kind: str) -> None:
    key = kind[0].lower() + kind[1:]
    with pytest.raises(
        chart.RenderError, match=f"metrics.{key}.enabled is true, but the cluster does not serve {kind}"
    ):
        chart.render({"metrics": {key: {"enabled": True}}}, apis=(chart.POLICY_API,))
