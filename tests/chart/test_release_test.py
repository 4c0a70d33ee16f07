"""The pod of `helm test`: what it asks for, and that its script tells right from wrong."""

import subprocess
from typing import Any

import pytest

from kits.api_server import chart
from neuronspan import names


def _pod() -> dict[str, Any]:
    return chart.render({}).of_kind("Pod")[0]


def test_release_test_is_a_hook_that_cleans_up() -> None:
    annotations = _pod()["metadata"]["annotations"]
    assert annotations["helm.sh/hook"] == "test"
    assert set(annotations["helm.sh/hook-delete-policy"].split(",")) == {"before-hook-creation", "hook-succeeded"}


def test_release_test_asks_for_one_core_like_a_user() -> None:
    pod = _pod()
    assert pod["metadata"]["annotations"][names.CORES_ANNOTATION] == "1"
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize(
    ("numbering", "grant", "visible", "devices", "expected"),
    [
        ("node", "5", "5", True, 0),
        ("container", "5", "0", True, 0),
        ("node", "5", "0", True, 1),
        ("container", "5", "5", True, 1),
        ("node", "", "", True, 1),
        ("node", "4-7", "4-7", True, 1),
        ("node", "5", "5", False, 1),
    ],
    ids=["node numbers", "container numbers", "wrong", "wrong in container", "no grant", "four cores", "no device"],
)
def test_release_test_tells_right_from_wrong(
    numbering: str, grant: str, visible: str, devices: bool, expected: int, tmp_path: Any
) -> None:
    if devices:
        (tmp_path / "neuron2").touch()
    container = _pod()["spec"]["containers"][0]
    script = container["args"][0].replace("/dev/neuron", f"{tmp_path}/neuron")
    given = {names.GRANT_ENV: grant, names.VISIBLE_CORES_ENV: visible, names.CORE_NUMBERING_ENV: numbering}
    environment = {"PATH": "/bin:/usr/bin", **{name: value for name, value in given.items() if value}}
    run = subprocess.run([*container["command"], script], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == expected, run.stderr
    assert ("all is well" in run.stdout) == (expected == 0)
    assert ("FAILED: " in run.stderr) == (expected == 1)
