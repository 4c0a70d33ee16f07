"""What manifests say that is not carried out here: in words, for whoever submitted them. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

Manifest = Mapping[str, Any]

_KINDS: Mapping[str, str] = {
    "CronJob": "no Jobs are made of it; with --keep, `kubectl create job --from=cronjob/NAME JOB` makes one",
    "Service": "no traffic is carried to its pods",
    "NetworkPolicy": "no traffic is held back by it",
    "PersistentVolumeClaim": "no volume is provisioned for it",
    "HorizontalPodAutoscaler": "nothing is scaled by it",
    "Ingress": "no traffic is carried by it",
}
_FIELDS: Mapping[str, Mapping[str, str]] = {
    "Deployment": {"minReadySeconds": "a pod counts as available once it is ready"},
    "DaemonSet": {
        "minReadySeconds": "a pod counts as available once it is ready",
    },
    "StatefulSet": {
        "volumeClaimTemplates": "no claims are made of it",
        "minReadySeconds": "a pod counts as available once it is ready",
    },
    "Job": {
        "activeDeadlineSeconds": "the Job runs for as long as it takes",
        "ttlSecondsAfterFinished": "the Job stays when it has finished",
        "podFailurePolicy": "each failed pod counts against backoffLimit",
        "successPolicy": "the Job ends with its completions",
        "backoffLimitPerIndex": "failed pods count against backoffLimit together",
    },
}


def of(manifest: Manifest) -> Iterator[str]:
    """Yield a sentence for each thing in a manifest that is not carried out."""
    kind, name = manifest.get("kind", ""), (manifest.get("metadata") or {}).get("name", "")
    if kind in _KINDS:
        yield f"{kind} {name}: {_KINDS[kind]}"
    spec = manifest.get("spec") or {}
    for field, instead in _FIELDS.get(kind, {}).items():
        if spec.get(field):
            yield f"{kind} {name}: spec.{field} is not carried out; {instead}"
