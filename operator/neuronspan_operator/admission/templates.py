"""The pod template of a workload: who applies it reads what is wrong, and not only the controller of its pods.

What is stored already must stay scalable, labelable and deletable: only what is new is looked at.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from neuronspan import annotations
from neuronspan_operator.admission import mistakes, wishes
from neuronspan_operator.admission.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True)
class _Workload:
    template: Mapping[str, Any]
    path: str  # of the template
    annotations: Mapping[str, str]  # of the workload
    of_job: Mapping[str, str]  # of a CronJob's job template


def is_new(stored: Any, written: Any) -> bool:
    """Whether an update brings a template, or an annotation of ours beside it, that is not stored yet."""
    before, after = _read(stored), _read(written)
    return before.template != after.template or any(
        annotations.is_ours(key)
        for was, now in ((before.annotations, after.annotations), (before.of_job, after.of_job))
        for key in now.keys() - was.keys()
    )


def misplaced(workload: Any) -> str:
    """Say which annotations are beside the template and not in it, too; "" when none is."""
    found = _read(workload)
    inside = wishes.texts(wishes.mapping(found.template.get("metadata")).get("annotations"))
    beside = sorted(filter(annotations.is_ours, {*found.annotations, *found.of_job} - {*inside}))
    if not beside:
        return ""
    return (
        f"annotation {', '.join(beside)} means nothing here, because it is not copied to the pods: "
        f"write it into the annotations of the pod template, {found.path}.metadata.annotations"
    )


def problems(workload: Any, settings: Settings) -> Iterator[str]:
    """Say all that is wrong with the request in a workload's pod template."""
    template = _read(workload).template
    return mistakes.problems(wishes.read(template.get("metadata"), template.get("spec"), settings), settings)


def _read(workload: Any) -> _Workload:
    manifest = wishes.mapping(workload)
    spec, own = wishes.mapping(manifest.get("spec")), wishes.mapping(manifest.get("metadata"))
    written = wishes.texts(own.get("annotations"))
    if "jobTemplate" not in spec:
        return _Workload(wishes.mapping(spec.get("template")), "spec.template", written, {})
    job = wishes.mapping(spec["jobTemplate"])
    return _Workload(
        wishes.mapping(wishes.mapping(job.get("spec")).get("template")),
        "spec.jobTemplate.spec.template",
        written,
        wishes.texts(wishes.mapping(job.get("metadata")).get("annotations")),
    )
