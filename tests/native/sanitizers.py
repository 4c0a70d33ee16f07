"""The runtime's unit tests with a C++ library under AddressSanitizer and UndefinedBehaviorSanitizer.

The library is instrumented, torch and Python are not. So what is found is about our own code and what it calls.
"""

import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence

from cluster import layout
from neuronspan_runtime import environment
from neuronspan_runtime.library import extension, torch_builds

FLAGS = (
    torch_builds.STANDARD,
    *("-O1", "-g", "-fno-omit-frame-pointer", "-fPIC", "-shared", "-fvisibility=hidden"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    "-fno-sanitize=vptr",  # asks for type information that torch's libraries keep to themselves
)

_RESIDENT = "it limits how much memory is resident, and AddressSanitizer keeps what is freed"
DESELECTED: Mapping[str, str] = {
    "tests/unit/runtime/device/test_hbm_pools.py::test_pools[ten_thousand_tensors_leave_nothing]": _RESIDENT,
    "tests/unit/runtime/device/test_hbm_pools.py::test_ten_thousand_loads_and_unloads_leave_nothing": _RESIDENT,
}
"""Tests that cannot run under a sanitizer, by their ID, with the reason, which is printed."""

ADDRESS_OPTIONS = (
    "detect_leaks=0",  # Python frees little at its end; performance/cases/load_cycles.py looks for ours
    "handle_segv=0",  # tests let the host follow a device pointer and expect the process to die of it
    "allocator_may_return_null=1",
    "detect_stack_use_after_return=1",
    "strict_string_checks=1",
    "protect_shadow_gap=0",
    "quarantine_size_mb=64",  # freed memory that is watched; some tests look at how much is resident
)
UNDEFINED_OPTIONS = ("print_stacktrace=1", "halt_on_error=1")


def library() -> pathlib.Path:
    """Return the sanitized library for the installed torch; build it when it is not in the cache."""
    build = torch_builds.installed_torch()
    return extension.built_once(build, layout.cache().root / "sanitized" / torch_builds.key(build, flags=FLAGS), FLAGS)


def preloaded() -> str:
    """Return the sanitizers' runtime libraries, which must come first, and libstdc++, which they look into."""
    return ":".join(_file("-print-file-name=" + name) for name in ("libasan.so", "libubsan.so", "libstdc++.so.6"))


def variables(log: pathlib.Path) -> dict[str, str]:
    """Return the environment of a sanitized run; findings go to files that begin with `log`."""
    return environment.of_child(
        LD_PRELOAD=preloaded(),
        ASAN_OPTIONS=":".join((*ADDRESS_OPTIONS, f"log_path={log}")),
        UBSAN_OPTIONS=":".join((*UNDEFINED_OPTIONS, f"log_path={log}")),
        PYTHONMALLOC="malloc",
        **{environment.LIBRARY_ENV: str(library())},
    )


def run_tests(arguments: Sequence[str], log: pathlib.Path) -> int:
    """Run pytest with the sanitized library; return its exit status, or 1 when a sanitizer found something."""
    for name, reason in DESELECTED.items():
        _say(f"deselected: {name}: {reason}")
    without = [argument for name in DESELECTED for argument in ("--deselect", name)]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *without, *arguments]
    status = subprocess.run(command, env=variables(log), check=False).returncode
    found = sorted(log.parent.glob(f"{log.name}.*"))
    for path in found:
        _say(f"--- {path}\n{path.read_text(encoding='utf-8', errors='replace')}")
    _say(f"sanitizers: {len(found)} findings, pytest's exit status is {status}")
    return status or int(bool(found))


def _file(question: str) -> str:
    compiler = os.fspath(environment.compiler()[0]) if environment.compiler() else "g++"
    return subprocess.run([compiler, question], check=True, capture_output=True, text=True).stdout.strip()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
