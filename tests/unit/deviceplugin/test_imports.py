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


def test_plugin_starts_with_these_packages_and_no_others() -> None:
    shown = subprocess.run([sys.executable, "-c", _SHOW], capture_output=True, text=True, check=True).stdout
    found = {each for each in shown.split() if not each.startswith("_")}  # those are extension modules' own
    assert found - _OF_GRPC == THIRD_PARTY | OURS
