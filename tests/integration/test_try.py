"""`neuronspan try` from outside: a process without root, on manifests that end quickly."""

import os
import pathlib
import subprocess
import sys

MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {name: quick, annotations: {neuronspan.dev/cores: "4"}}
spec:
  restartPolicy: Never
  containers:
    - name: app
      image: busybox
      command: [sh, -c, 'echo saw $NEURON_RT_VISIBLE_CORES; cat /data/word']
      env: [{name: NEURON_RT_VISIBLE_CORES, value: 0-31}]
      volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, configMap: {name: words}}]
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: words}, data: {word: "hello\\n"}}
---
apiVersion: v1
kind: Pod
metadata: {name: large, annotations: {neuronspan.dev/cores: "40"}}
spec: {containers: [{name: app, image: busybox, command: [sleep, "1"]}]}
"""
TRY = (sys.executable, "-m", "neuronspan_embedded", "try", "--nodes", "trn1.32xlarge", "--seconds", "30")


def run(path: pathlib.Path, *flags: str) -> "subprocess.CompletedProcess[str]":
    paths = os.pathsep.join(each for each in sys.path if each)
    environment = {"PATH": os.defpath, "PYTHONPATH": paths, "HOME": str(path.parent)}
    return subprocess.run(
        [*TRY, *flags, str(path)], capture_output=True, text=True, check=False, timeout=110, env=environment
    )  # fmt: skip


def test_try_runs_a_pod_on_its_cores_and_says_why_another_waits(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "pods.yaml"
    path.write_text(MANIFEST)
    outcome = run(path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    for line in ("quick [app] saw 0-3", "quick [app] hello", "large: waits:", "40"):
        assert line in outcome.stdout


def test_try_follows_a_queue_to_its_end(tmp_path: pathlib.Path) -> None:
    """When the first of two ends there is a moment in which all pods are over or wait."""
    pod = (
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, annotations: {{neuronspan.dev/cores: '20'}}}},"
        " spec: {{restartPolicy: Never, containers: [{{name: app, image: busybox, command: [sleep, '1']}}]}}}}"
    )
    path = tmp_path / "queue.yaml"
    path.write_text("\n---\n".join(pod.format(name=name) for name in ("first", "second", "third")))
    outcome = run(path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    for name in ("first", "second", "third"):
        assert f"{name}: Succeeded" in outcome.stdout


def test_try_fails_when_a_pod_cannot_be_run_here(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "pod.yaml"
    path.write_text(
        "{apiVersion: v1, kind: Pod, metadata: {name: web},"
        " spec: {containers: [{name: app, image: nginx, command: [no-such-program]}]}}"
    )
    outcome = run(path)
    assert outcome.returncode == 1
    assert "this machine has no no-such-program to run in place of nginx's" in outcome.stdout


def test_try_waits_for_nothing_when_all_manifests_are_refused(tmp_path: pathlib.Path) -> None:
    """It would be ended by the limit of `run` otherwise."""
    path = tmp_path / "pod.yaml"
    path.write_text("{apiVersion: v1, kind: Pod, metadata: {name: bad}, spec: {container: []}}")
    outcome = run(path, "--seconds", "600")
    assert outcome.returncode == 1
    assert "ended with 1 problem\n" in outcome.stdout
