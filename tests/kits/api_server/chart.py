"""Renders the Helm chart with the real helm and gives the objects as dicts."""

import dataclasses
import functools
import json
import pathlib
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from kits.api_server import control_plane as control_plane_kit

CHART = pathlib.Path(__file__).parents[3] / "charts" / "neuronspan"
RELEASE = "neuronspan"
NAMESPACE = "neuronspan"
OPERATOR = f"system:serviceaccount:{NAMESPACE}:{RELEASE}-operator"
"""How the API server names the operator of that release."""
DEVICE_PLUGIN = f"system:serviceaccount:{NAMESPACE}:{RELEASE}-deviceplugin"
"""How it names the device plugin."""
INSTALLATION = "neuronspan.dev:one-release-per-cluster"
"""The object of which a cluster can have only one, so that it has only one release."""
POLICY_API = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"
MONITORING_APIS = tuple(
    f"monitoring.coreos.com/v1/{kind}" for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule")
)
APIS = (POLICY_API, *MONITORING_APIS)
"""What a cluster must serve for everything in the chart."""

Manifest = dict[str, Any]
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C reads ten times as fast


class RenderError(Exception):
    """Helm refused; the message is what it said."""


@dataclasses.dataclass(frozen=True)
class Rendered:
    """The objects of one rendering."""

    manifests: tuple[Manifest, ...]

    def of_kind(self, kind: str) -> list[Manifest]:
        """All objects of a kind."""
        return [manifest for manifest in self.manifests if manifest["kind"] == kind]

    def one(self, kind: str, name: str) -> Manifest:
        """The object of this kind and name (without the release's prefix)."""
        found = [each for each in self.of_kind(kind) if each["metadata"]["name"].removeprefix(f"{RELEASE}-") == name]
        assert len(found) == 1, f"{len(found)} objects {kind}/{name} among {self.names(kind)}"
        return found[0]

    def names(self, kind: str) -> list[str]:
        """Names of all objects of a kind."""
        return [manifest["metadata"]["name"] for manifest in self.of_kind(kind)]


def helm(*arguments: str, values: Mapping[str, Any] | None = None, environment: Iterable[str] = ()) -> str:
    """Run helm with these values on its standard input; raises RenderError with its words."""
    given = [] if values is None else ["--values", "-"]
    run = subprocess.run(
        ["env", *environment, control_plane_kit.find_tool("helm"), *arguments, *given],
        input=json.dumps(values or {}, ensure_ascii=False),  # YAML has no escapes for halves of a character
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise RenderError(run.stderr)
    return run.stdout + run.stderr


def render(values: Mapping[str, Any] | None = None, *, apis: Iterable[str] = APIS) -> Rendered:
    """Render the chart as for a cluster that serves these APIs."""
    return Rendered(tuple(json.loads(_kept(json.dumps(values or {}), tuple(apis)))))


@functools.cache
def _kept(values: str, apis: tuple[str, ...]) -> str:
    """Return the objects as JSON: text can be cached, and every caller gets objects of its own."""
    return json.dumps(template(json.loads(values), apis=apis).manifests)


def template(
    values: Mapping[str, Any], *, apis: Iterable[str] = APIS, name: str = RELEASE, namespace: str = NAMESPACE
) -> Rendered:
    """Render as `render` does, and remember nothing: for thousands of renderings that are asked for once."""
    served = [argument for api in apis for argument in ("--api-versions", api)]
    version = "1.36.3" if POLICY_API in apis else "1.30.0"  # the oldest, and it has no such policies
    arguments = ["template", name, str(CHART), "--namespace", namespace, "--kube-version", version, *served]
    text = helm(*arguments, values=values)
    return Rendered(tuple(manifest for manifest in yaml.load_all(text, _LOADER) if manifest))


def release(
    plane: control_plane_kit.ControlPlane,
    action: str,
    *flags: str,
    name: str = RELEASE,
    values: Mapping[str, Any] | None = None,
    chart: pathlib.Path = CHART,
) -> str:
    """Install, upgrade or uninstall in a real API server; raises RenderError with helm's words."""
    what = [name] if action == "uninstall" else [name, str(chart), "--create-namespace"]
    where = ["--namespace", NAMESPACE, "--kubeconfig", plane.kubeconfig]
    cache = f"KUBECACHEDIR={plane.directory / 'discovery'}"  # not the one of whoever runs the tests
    return helm(action, *what, *where, *flags, values=values, environment=[cache])


def default_values() -> dict[str, Any]:
    """Return the content of values.yaml."""
    content: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return content


def custom_resource(plural: str) -> Manifest:
    """Return the schema of a custom resource."""
    manifest = yaml.safe_load((CHART / "crds" / f"{plural}.yaml").read_text())
    schema: Manifest = manifest["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema
