"""The runtime tier in the product's image: Debian's torch 2.6, an unprivileged user, a read-only root, no compiler."""

import pathlib
import sys

import pytest

from kits.release import runtime_image

UNIT = "tests/unit/runtime"
GUIDES = "tests/guides"
PROGRAMS = f"{UNIT}/device/test_device_programs.py::test_device_runs_programs"
MODELS = f"{UNIT}/models/test_deployed_models.py::test_deployed_model_is_bit_equal_wherever_it_runs"
AUTOLOAD = f"{UNIT}/registering/test_autoload.py::test_torch_finds_the_device_by_itself"
FORMS = f"{UNIT}/timing/test_counting.py::test_every_form_of_a_model_costs_the_same"
LEFT_OUT = {
    f"{UNIT}/library/test_extension.py": "needs a compiler, which the image has not: its library came with it",
    f"{UNIT}/library/test_extension_processes.py": "needs one too",
    f"{GUIDES}/test_guide_tables.py": "reads the documentation, which is the same everywhere",
    f"{UNIT}/device/test_device_names.py": "reads the documentation too",
    f"{UNIT}/registering/test_compile_backend.py": "torch.compile needs Python packages that the image leaves out",
    f"{AUTOLOAD}[the compile backend is found]": "it needs them too",
    f"{FORMS}[exported]": "torch.export needs them too",
    f"{UNIT}/timing/test_published.py": "reads the documentation, and counts the same models",
    f"{UNIT}/device/test_safetensors.py": "needs the safetensors library, which the image has not",
    f"{UNIT}/cores/test_pid_namespaces.py": "makes PID namespaces, for which a container has no right",
    f"{MODELS}[BERT]": "needs the transformers library, which the image has not",
    f"{MODELS}[GPT-2]": "needs it too",
    f"{PROGRAMS}[compiled_functions_run]": "torch.compile needs Python packages that the image leaves out",
    f"{PROGRAMS}[exported_programs_move]": "torch.export needs them too",
    f"{PROGRAMS}[data_is_loaded_by_workers_into_pinned_memory]": "torch 2.6 warns of its own loader",
    f"{PROGRAMS}[host_memory_is_pinned]": "torch 2.6 warns of the call that newer ones need",
}
"""What cannot run in a container of the image, and why; `make test` runs all of it outside."""


@pytest.mark.timeout(runtime_image.SECONDS)
def test_runtime_tests_pass_in_the_image(packages: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    without = [f"--{'deselect' if '::' in name else 'ignore'}={name}" for name in LEFT_OUT]
    output = runtime_image.run_pytest(packages, [UNIT, GUIDES, "--noconftest", "-p", "kits.device.fixtures", *without])
    closing = output.strip().splitlines()[-1]
    with capsys.disabled():
        for name, reason in LEFT_OUT.items():
            sys.stdout.write(f"\nleft out in the image: {name} {reason}")
        sys.stdout.write(f"\nin the image: {closing}\n")
    assert runtime_image.passed(output) > 100
    assert "skipped" not in closing
