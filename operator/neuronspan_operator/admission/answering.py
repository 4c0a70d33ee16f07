"""The answers to an API server that asks about a request: one function per webhook.

A request is the member of that name of an AdmissionReview (admission.k8s.io/v1); only ``operation``, ``kind``,
``subResource``, ``object`` and ``oldObject`` are read.
"""

import dataclasses
import http
from collections.abc import Iterable, Mapping
from typing import Any, Final

from neuronspan_operator.admission import common_form, mistakes, templates, wishes
from neuronspan_operator.admission.settings import Settings

__all__ = ["Answer", "Settings", "mutate", "validate"]

INVALID: Final = "Invalid"
"""The reason of every refusal, as in the policies."""
WORKLOADS: Final = frozenset(
    {("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet"), ("batch", "Job"), ("batch", "CronJob")}
)
"""Group and kind of those whose pod template is looked at."""

_POD: Final = ("", "Pod")
_MIRROR: Final = "kubernetes.io/config.mirror"
"""Annotation of what kubelet reports of a static pod that it has started: refusing would only hide it."""
_LONGEST: Final = 5 * 1024
"""Bytes: of a longer sentence, or one of several lines, the API server says the policy's fixed message instead.

Source: MaxEvaluatedMessageExpressionSizeBytes in apiserver/pkg/apis/cel/config.go, used in validating/validator.go.
"""
_POD_REFUSED: Final = "the pod's request for NeuronCores cannot be met as it is written"
_TEMPLATE_REFUSED: Final = "the pod template's request for NeuronCores cannot be met as it is written"
_MISPLACED: Final = "annotations of neuronspan.dev belong into the pod template"


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a request; ``message``, ``reason`` and ``code`` are those of a refusal."""

    allowed: bool = True
    message: str = ""
    reason: str = ""
    code: int = http.HTTPStatus.OK
    patch: tuple[common_form.Operation, ...] = ()  # RFC 6902; empty when nothing changes


def mutate(request: Mapping[str, Any], settings: Settings) -> Answer:
    """Return the patch that gives a new pod its common form."""
    if _kind(request) != _POD or request.get("operation") != "CREATE":
        return Answer()
    pod = wishes.mapping(request.get("object"))
    return Answer(patch=common_form.patch(pod.get("metadata"), pod.get("spec"), settings))


def validate(request: Mapping[str, Any], settings: Settings) -> Answer:
    """Return whether a new pod, or a new pod template, can be meant as it is written."""
    kind, operation, written = _kind(request), request.get("operation"), request.get("object")
    if kind == _POD and operation == "CREATE":
        return _of_pod(wishes.mapping(written), settings)
    is_written = operation in {"CREATE", "UPDATE"}
    if kind not in WORKLOADS or not is_written:
        return Answer()
    if operation == "UPDATE" and not templates.is_new(request.get("oldObject"), written):
        return Answer()
    beside = templates.misplaced(written)
    if beside:
        return _refused([beside], _MISPLACED)
    return _refused(templates.problems(written, settings), _TEMPLATE_REFUSED, "in the pod template: ")


def _of_pod(pod: Mapping[str, Any], settings: Settings) -> Answer:
    read = wishes.read(pod.get("metadata"), pod.get("spec"), settings)
    if _MIRROR in read.annotations:
        return Answer()
    return _refused(mistakes.problems(read, settings), _POD_REFUSED)


def _kind(request: Mapping[str, Any]) -> tuple[str, str]:
    kind = wishes.mapping(request.get("kind"))
    return ("", "") if request.get("subResource") else (wishes.text(kind.get("group")), wishes.text(kind.get("kind")))


def _refused(problems: Iterable[str], otherwise: str, where: str = "") -> Answer:
    """Return the refusal with these sentences, or with the other one; an Answer that allows when there are none."""
    said: list[str] = []
    length = len(where.encode(errors="replace"))
    for problem in problems:
        length += len(problem.encode(errors="replace")) + (len("; ") if said else 0)
        said.append(problem)
        if length > _LONGEST:
            return _refusal(otherwise)  # nobody reads on, and thousands of sentences may follow
    if not said:
        return Answer()
    message = (where + "; ".join(said)).strip()
    return _refusal(otherwise if "\n" in message else message)


def _refusal(message: str) -> Answer:
    return Answer(allowed=False, message=message, reason=INVALID, code=http.HTTPStatus.UNPROCESSABLE_ENTITY)
