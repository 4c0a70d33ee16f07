"""What the plugin's process has in memory when it starts: each package costs every node its megabytes."""

import subprocess
import sys

THIRD_PARTY = {
    "aiohappyeyeballs", "aiohttp", "aiosignal", "attr", "frozenlist", "google", "grpc", "idna", "multidict",
    "prometheus_client", "propcache", "pythonjsonlogger", "typing_extensions", "yarl",
}  # fmt: skip
"""HTTP, gRPC with protobuf, metrics, log lines. Not YAML: a kubeconfig is read outside of pods alone."""
OURS = {"neuronspan", "neuronspan_agent", "neuronspan_deviceplugin"}
_OF_GRPC = {"cython_runtime", "grpc_tools"}  # the latter only where it is installed, to generate stubs
_SHOW = (
    "import sys; before = {*sys.modules, *sys.stdlib_module_names}; import neuronspan_deviceplugin.__main__; "
    "print(*{each.partition('.')[0] for each in sys.modules} - before)"
)
_IN_PYTHON = (
    "import sys; import neuronspan_deviceplugin.__main__; print('google.protobuf.internal.encoder' in sys.modules); "
    "from google.protobuf.internal import python_message; python_message.GeneratedProtocolMessageType; "
    "print('google.protobuf.internal.encoder' in sys.modules)"
)


def _printed(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def test_plugin_starts_with_these_packages_and_no_others() -> None:
    found = {each for each in _printed(_SHOW).split() if not each.startswith("_")}  # those are extension modules' own
    assert found - _OF_GRPC == THIRD_PARTY | OURS


def test_messages_in_python_are_loaded_where_they_are_needed_alone() -> None:
    assert _printed(_IN_PYTHON).split() == ["False", "True"]
