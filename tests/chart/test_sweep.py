"""Each value of the chart set to everything: refused by its name, or the API server takes all that comes of it.

The ordinary tier tries every twentieth batch; `make test-chart-values` all of them.
"""

import http
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import api_client, chart
from kits.api_server import control_plane as control_plane_kit
from kits.chart_values import batches, extremes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(3600)]  # the whole takes minutes

EVERY = int(os.environ.get("CHART_VALUES_EVERY", "20"))  # noqa: TID251  the test's one setting, of the Makefile
BASE: dict[str, Any] = {
    "networkPolicy": {"enabled": True},
    "resourceQuota": {"enabled": True},
    "metrics": {
        "podMonitor": {"enabled": True},
        "service": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboard": {"enabled": True},
    },
}
"""Everything on, so that every value reaches an object."""
SENTENCE = "neuronspan cannot be installed with these values"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def _values() -> extremes.Values:
    return extremes.Values(json.loads((chart.CHART / "values.schema.json").read_text()))


def _is_default(path: batches.Path) -> bool:
    """Whether the chart has a default for the value: helm then takes a null for its absence."""
    place: Any = chart.default_values()
    for key in path:
        if not isinstance(place, dict) or key not in place:
            return False
        place = place[key]
    return True


def _cases(*, accepted: bool) -> Iterator[batches.Case]:
    values = _values()
    for path, part in values.paths():
        good, bad = values.candidates(part)
        absent = [None] if _is_default(path) else []
        for value in [*good, *absent] if accepted else bad:
            if accepted or value is not None or not absent:
                yield batches.Case(path, value)


def _sample(*, accepted: bool) -> list[list[batches.Case]]:
    packed = batches.packed(_cases(accepted=accepted))
    return packed[::EVERY]


def test_every_value_is_swept() -> None:
    """The schema's paths are those of values.yaml, and some that have no default."""
    swept = {path for path, _ in _values().paths()}
    assert {path for path in _leaves(chart.default_values()) if path not in swept} == set()
    assert len(swept) > 300


def _leaves(place: dict[str, Any], path: batches.Path = ()) -> Iterator[batches.Path]:
    for key, value in place.items():
        free = {"labels", "nodeSelector", "annotations", "requests", "limits"}  # keys of the user's own
        if isinstance(value, dict) and key not in free:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key)


def test_what_the_schema_does_not_accept_is_refused_by_its_name() -> None:
    missing = []
    for batch in _sample(accepted=False):
        with pytest.raises(chart.RenderError) as refusal:
            chart.template(batches.values(batch, {}))
        told = str(refusal.value)
        missing += [
            str(case) for case in batch if f"at '{case.pointer}'" not in told and f"at '{case.pointer}/" not in told
        ]
    assert missing == []


class _Server:
    """Asks an API server about objects without storing them, about each once."""

    def __init__(self, client: api_client.Client) -> None:
        self._client = client
        self._known: dict[str, str] = {}

    def refusal(self, manifest: dict[str, Any]) -> str:
        """Return why the object would be refused, empty when it would not."""
        key = json.dumps(manifest, sort_keys=True)
        if key not in self._known:
            self._known[key] = self._ask(manifest)
        return self._known[key]

    def _ask(self, manifest: dict[str, Any]) -> str:
        manifest = _as_template(manifest) if manifest["kind"] == "Pod" else manifest
        if namespace := manifest["metadata"].get("namespace"):
            self._client.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        path = f"{admission_kit.collection(manifest)}?dryRun=All&fieldValidation=Strict"
        answer = self._client.request("POST", path, manifest)
        return "" if answer.status == http.HTTPStatus.CREATED else f"{manifest['kind']}: {answer.message[:1500]}"


def _as_template(pod: dict[str, Any]) -> dict[str, Any]:
    """Return a Job of such pods: a pod itself is refused while its service account or priority class is missing."""
    template = {"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": pod["metadata"], "spec": {"template": template}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Server]:
    """An API server of its own, which also serves the Prometheus operator's kinds, as far as their metadata goes."""
    with control_plane_kit.running(tmp_path_factory.mktemp("sweep")) as plane:
        for api in chart.MONITORING_APIS:
            plane.apply_crd(_open_kind(api.rpartition("/")[2]))
        yield _Server(plane.client())


def _open_kind(kind: str) -> dict[str, Any]:
    group, plural = "monitoring.coreos.com", f"{kind.lower()}s"
    spec = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1", "served": True, "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
    }  # fmt: skip
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [version],
        },
    }  # fmt: skip


def test_what_the_schema_accepts_is_contradicted_by_name_or_taken_by_the_api_server(server: _Server) -> None:
    def attempt(batch: list[batches.Case]) -> str:
        try:
            rendered = chart.template(batches.values(batch, BASE))
        except chart.RenderError as refusal:
            return str(refusal)
        return "\n".join(filter(None, map(server.refusal, rendered.manifests)))

    found = [
        f"{', '.join(map(str, batch[:4]))}: {said[:1500]}"
        for sample in _sample(accepted=True)
        for batch, said in batches.failing(sample, attempt)
        if not _is_named(batch, said)
    ]
    assert found == []


def _is_named(batch: list[batches.Case], said: str) -> bool:
    """Whether the chart refuses what contradicts each other by a value's name, or the schema by the place it is in."""
    places = {f"at '/{'/'.join(case.path[:-1])}'" for case in batch}
    return (SENTENCE in said and any(case.path[-1] in said for case in batch)) or any(place in said for place in places)
