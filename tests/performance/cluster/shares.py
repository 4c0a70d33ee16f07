"""What the API server's CPU time goes into, per pod: `go tool pprof` sums a profile, this picks the parts that matter.

A profile has one entry for each function with everything that it calls (`-cum`), so the parts below overlap only where
one calls another: admission policies are parts of the calls that they look at.
"""

import pathlib
import re
import subprocess
from collections.abc import Mapping

PARTS: Mapping[str, str] = {
    "creating pods, bindings and Events": r"handlers\.CreateResource\.createHandler\.func1\.2$",
    "… of it the mutating policy": r"admission/plugin/policy/mutating\.\(\*Plugin\)\.Admit$",
    "… of it the validating policies": r"admission/plugin/policy/validating\.\(\*Plugin\)\.Validate$",
    "… of it match conditions, of policies of both kinds": r"matchconditions\.\(\*matcher\)\.Match$",
    "storing ledgers, and pods as they are bound": r"cacher\.\(\*CacheDelegator\)\.GuaranteedUpdate$",
    "… of it ledgers": r"handlers\.\(\*patcher\)\.patchResource\.func2$",
    "owners of fields (managedFields)": r"managedfields/internal\.\(\*FieldManager\)\.UpdateNoErrors$",
    "watches": r"handlers\.\(\*WatchServer\)\.HandleHTTP$",
    "garbage collector": r"runtime\.gcBgMarkWorker$",
}
"""What a part is called, and the function that stands for it (Kubernetes 1.36, `apiserver/pkg` and Go's runtime)."""

_LINE = re.compile(r"^\s*\S+\s+\S+\s+\S+\s+(?P<seconds>[\d.]+)(?P<unit>ms|s)\s+\S+\s+(?P<function>\S.*)$")
_TOTAL = re.compile(r"Total samples = (?P<seconds>[\d.]+)(?P<unit>ms|s)")
_MILLISECONDS = {"ms": 1.0, "s": 1000.0}


def milliseconds(profile: pathlib.Path) -> dict[str, float]:
    """Return the CPU time of each part of a profile, and of all of it as `all`; CalledProcessError from `go tool`."""
    command = ["go", "tool", "pprof", "-top", "-cum", "-nodecount=100000", str(profile)]
    return parsed(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def parsed(printed: str) -> dict[str, float]:
    """Return the same from what `go tool pprof -top -cum` printed; a part that has no line took no time."""
    found = dict.fromkeys(PARTS, 0.0)
    for line in printed.splitlines():
        entry = _LINE.match(line)
        for part, pattern in PARTS.items():
            if entry and re.search(pattern, entry["function"].removesuffix(" (inline)")):
                found[part] = max(found[part], _taken(entry))
    total = _TOTAL.search(printed)
    return {"all": _taken(total) if total else 0.0, **found}


def table(profiles: Mapping[str, pathlib.Path], pods: int) -> str:
    """Return a Markdown table: milliseconds per pod of each part, one column for each kind of pods."""
    columns = [milliseconds(path) for path in profiles.values()]
    lines = [f"| kube-apiserver, CPU ms per pod | {' | '.join(profiles)} |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| {part} | " + " | ".join(f"{column[part] / pods:.2f}" for column in columns) + " |" for part in columns[0]
    ]
    return "\n".join(lines) + "\n"


def _taken(entry: re.Match[str]) -> float:
    return float(entry["seconds"]) * _MILLISECONDS[entry["unit"]]
