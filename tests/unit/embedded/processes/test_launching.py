"""What is started for a container."""

import pytest

from neuronspan_embedded.processes import launching

MACHINE = launching.Machine("/venv/bin/python", {"sh": "/bin/sh"}.get)
RUNTIME = "registry.example/team/neuronspan/runtime:0.1.0"


def launch(image: str, *command: str, **mounts: str) -> launching.Launch:
    container = {"name": "app", "image": image, "command": list(command)}
    return launching.launch(
        container, MACHINE, {"A": "1"}, {f"/{key}": value for key, value in mounts.items()}, "/home"
    )


def test_container_of_the_runtime_image_runs_the_interpreter_of_this_machine() -> None:
    assert launch(RUNTIME, "python3", "-V").arguments == ("/venv/bin/python", "-V")


def test_container_of_another_image_runs_a_local_program_and_says_so() -> None:
    started = launch("busybox", "sh", "-c", "true")
    assert started.arguments == ("/bin/sh", "-c", "true")
    assert "busybox is not used" in started.note


def test_container_without_a_local_program_is_refused_by_name() -> None:
    with pytest.raises(launching.CannotLaunch, match="no nginx to run") as refused:
        launch("nginx", "nginx")
    assert refused.value.reason == "ImageNotRunnable"


def test_container_without_a_command_is_refused_when_its_image_is_not_ours() -> None:
    with pytest.raises(launching.CannotLaunch, match="give command"):
        launch("nginx")


def test_paths_of_mounts_are_replaced_as_whole_parts_only() -> None:
    started = launch("x", "sh", "-c", "cat /data/x /data /database /other/data", data="/srv/v")
    assert started.arguments[2] == "cat /srv/v/x /srv/v /database /other/data"


def test_variables_are_expanded_as_kubelet_does() -> None:
    assert launching.expanded("$(A) $(B) $$(A)", {"A": "1"}) == "1 $(B) $(A)"


def test_variable_of_a_missing_config_map_is_refused() -> None:
    reference = {"configMapKeyRef": {"name": "c", "key": "k"}}
    container = {"env": [{"name": "A", "valueFrom": reference}]}
    with pytest.raises(launching.CannotLaunch, match='configmap "c, key k" not found'):
        launching.resolved(container, {}, lambda _kind, _name: None)
