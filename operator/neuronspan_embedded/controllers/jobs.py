"""Jobs: pods until so many have succeeded, or too many have failed. A failed pod is replaced at once."""

import dataclasses
from typing import Any

from neuronspan_embedded.controllers import view as views

Manifest = dict[str, Any]

_INDEX = "batch.kubernetes.io/job-completion-index"
_FINISHED = frozenset({"Complete", "Failed"})


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """The pods of a Job by what has become of them."""

    active: tuple[Manifest, ...]
    succeeded: tuple[Manifest, ...]
    failed: tuple[Manifest, ...]


def run(view: views.View) -> None:
    """Bring each Job nearer to its completions."""
    for each in view.all("jobs"):
        if not views.is_leaving(each) and not finished(each):
            _work(view, each)


def finished(job: Manifest) -> str:
    """Return how a Job has ended, "" while it has not."""
    conditions = job["status"].get("conditions", ())
    return next(
        (str(each["type"]) for each in conditions if each["type"] in _FINISHED and each["status"] == "True"), ""
    )


def _work(view: views.View, job: Manifest) -> None:
    spec, standing = job["spec"], _standing(view, job)
    if len(standing.failed) > spec["backoffLimit"]:
        _end(view, job, standing, "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    elif _is_complete(spec, standing):
        _end(view, job, standing, "Complete", "CompletionsReached", "Reached expected number of succeeded pods")
    elif spec["suspend"]:
        for pod in standing.active:
            view.delete("pods", pod)
        _report(view, job, _standing(view, job))
    else:
        _start(view, job, standing)
        _report(view, job, _standing(view, job))


def _standing(view: views.View, job: Manifest) -> Standing:
    pods = view.owned("pods", job)
    by_phase = ([pod for pod in pods if views.phase(pod) == phase] for phase in ("Succeeded", "Failed"))
    succeeded, failed = map(tuple, by_phase)
    return Standing(tuple(filter(views.is_active, pods)), succeeded, failed)


def _done(spec: Manifest, standing: Standing) -> int:
    if spec["completionMode"] == "Indexed":
        return len(set(map(_index, standing.succeeded)))
    return len(standing.succeeded)


def _is_complete(spec: Manifest, standing: Standing) -> bool:
    wanted = spec.get("completions")
    if wanted is None:  # a queue of work: the first success says that it is empty
        return bool(standing.succeeded) and not standing.active
    return _done(spec, standing) >= int(wanted)


def _start(view: views.View, job: Manifest, standing: Standing) -> None:
    spec, done = job["spec"], _done(job["spec"], standing)
    wanted = spec.get("completions")
    left = spec["parallelism"] if wanted is None else min(spec["parallelism"], wanted - done)
    if wanted is None and standing.succeeded:
        left = 0
    for pod in views.expendable(standing.active)[: max(0, len(standing.active) - left)]:
        view.delete("pods", pod)
    missing = left - len(standing.active)
    for index in _free_indices(spec, standing, missing):
        if view.create("pods", _pod(job, index), job) is None:
            return


def _free_indices(spec: Manifest, standing: Standing, count: int) -> list[int | None]:
    if spec["completionMode"] != "Indexed":
        return [None] * count
    taken = set(map(_index, (*standing.active, *standing.succeeded)))
    free: list[int | None] = [each for each in range(spec["completions"]) if each not in taken]
    return free[: max(0, count)]


def _index(pod: Manifest) -> int:
    return int(pod["metadata"]["annotations"][_INDEX])


def _pod(job: Manifest, index: int | None) -> Manifest:
    name, template = job["metadata"]["name"], job["spec"]["template"]
    if index is None:
        return views.pod_of(job, template, {"generateName": f"{name}-"})
    own = {_INDEX: str(index)}
    variable = {"name": "JOB_COMPLETION_INDEX", "value": str(index)}
    told = {
        field: [{**each, "env": [*(each.get("env") or ()), variable]} for each in template["spec"][field]]
        for field in ("initContainers", "containers")
        if template["spec"].get(field)
    }
    metadata = {"generateName": f"{name}-{index}-", "labels": own, "annotations": own}
    return views.pod_of(job, template, metadata, hostname=f"{name}-{index}", **told)


def _end(view: views.View, job: Manifest, standing: Standing, kind: str, reason: str, message: str) -> None:
    for pod in standing.active:
        view.delete("pods", pod)
    _report(view, job, _standing(view, job), (kind, reason, message))


def _report(view: views.View, job: Manifest, standing: Standing, end: tuple[str, str, str] | None = None) -> None:
    now, before = view.calls.now, job["status"]
    counts = {
        "active": len(standing.active),
        "ready": sum(map(views.is_ready, standing.active)),
        "succeeded": _done(job["spec"], standing),
        "failed": len(standing.failed),
    }
    status: Manifest = {field: count for field, count in counts.items() if count}
    status["startTime"] = before.get("startTime", now)
    if before.get("conditions"):
        status["conditions"] = before["conditions"]
    if end is not None:
        status["conditions"] = list(views.condition(before, end[0], "True", end[1], end[2], now))
        if end[0] == "Complete":
            status["completionTime"] = now
    view.report("jobs", job, status)
