"""What the models of the examples print of themselves, and whether it is what the ledger says. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box, table

from neuronspan import grants

Reports = dict[tuple[str, str], dict[str, Any]]
"""What a container printed, by pod and container."""
WANTED = 1 + 3 + 1 + 2 + 1
"""Reports of the examples: annotated, three replicas, the Job, two containers, resource form."""


def last_report(log: str) -> dict[str, Any] | None:
    """Return the JSON line that a pod of the examples prints before `OK`, None before it did."""
    lines = log.splitlines()
    if "OK" not in lines:
        return None
    found = next((line for line in reversed(lines) if line.startswith("{")), None)
    return None if found is None else dict(json.loads(found))


def report_table(found: Reports) -> table.Table:
    """Tabulate what each container saw."""
    result = table.Table(box=box.SIMPLE_HEAD, title="What the containers saw", title_justify="left", title_style="bold")
    for heading in ("pod", "container", "owns", "model", "placed on", "replicas", "largest error", "chain"):
        result.add_column(heading, overflow="fold")
    for (pod, container), report in sorted(found.items()):
        placed, replicas = (" ".join(map(str, report[key])) for key in ("placement", "replicas"))
        numbers = [str(report[key]) for key in ("largest error", "chain")]
        result.add_row(pod, container, str(report["owned"]), str(report["model"]), placed, replicas, *numbers)
    return result


def disagreements(found: Reports, neuron_nodes: Sequence[Mapping[str, Any]], over: set[str]) -> Iterator[str]:
    """Yield a sentence for each container that owned other cores than the ledger grants it.

    The grants of pods that are over may be gone, which is no disagreement.
    """
    stored_grants = [
        grants.Grant.from_dict(each) for node in neuron_nodes for each in (node.get("spec") or {}).get("grants") or ()
    ]
    granted = {(each.pod, each.container): str(each.span) for each in stored_grants}
    for (pod, container), report in sorted(found.items()):
        if (pod, container) not in granted and pod in over:
            continue
        stored = granted.get((pod, container), "no cores")
        if str(report.get("owned")) != stored:
            yield f"pod {pod}, container {container} owns {report.get('owned')}, but the ledger says {stored}"
