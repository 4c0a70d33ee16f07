"""Values: that missing ones mean the documented defaults, and what of a cluster the chart cannot do without."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from kits.api_server import chart

Values = dict[str, Any]
Path = tuple[str, ...]


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
PASSED_ON = {"resources", "updateStrategy", "podSecurityContext", "securityContext"}
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
