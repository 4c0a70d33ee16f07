"""Writes what a plan says about claims and volumes: the node selected for a claim, the claim that holds a volume.

Law: every write compares before it swaps. A claim is tried again less and less often, whether the API server refused or
its provisioner failed: both show as the same write planned anew. Only a conflict costs no pause.
"""

import asyncio
import logging

from neuronspan_agent import backoff, calls, errors, resources
from neuronspan_operator import metrics, reasons
from neuronspan_operator.cluster import storage_caches
from neuronspan_operator.scheduling.volumes import claiming
from neuronspan_operator.telling import refusals

_log = logging.getLogger(__name__)


class ClaimWriter:
    """Carries out ``plans.Plan.claims``; ``failures`` has the keys of what is left alone, ``room`` bounds the calls."""

    def __init__(
        self,
        client: calls.MergePatches,
        known: storage_caches.StorageCaches,
        failures: backoff.Backoff,
        refused: refusals.Refusals,
        meters: metrics.Metrics,
        *,
        room: asyncio.Semaphore,
    ) -> None:
        self._client = client
        self._known = known
        self._failures = failures
        self._refused = refused
        self._meters = meters
        self._room = room

    async def write(self, write: claiming.Write) -> None:
        """Do one write, if the claim is not left alone now."""
        key = claim_key(write.claim.uid)
        if self._failures.holds(key):
            return
        facts = {"pod": write.pod.key, "node": write.node, "claim": write.claim.key}
        try:
            await self._send(write)
        except errors.Conflict:
            outcome = reasons.Outcome.CONFLICT  # the watch brings what was written first
        except errors.NotFound:
            outcome = reasons.Outcome.GONE
        except errors.KubernetesError as error:
            refused = isinstance(error, errors.Invalid | errors.Forbidden)
            outcome = reasons.Outcome.REFUSED if refused else reasons.Outcome.FAILED
            delay = self._failures.failed(key)
            self._refused.failed(refusals.Write.CLAIM, write.pod.uid, error, [write.pod.uid])
            _log.warning("claim not written", extra=facts | {"pause": delay, "error": str(error)})
        else:
            outcome = reasons.Outcome.WRITTEN
            self._failures.failed(key)  # written once; written again later if it is planned again
            self._refused.succeeded(refusals.Write.CLAIM, write.pod.uid)
            _log.info("claim written", extra=facts | {"reason": str(write)})
        self._meters.claim_writes.labels(outcome).inc()

    async def _send(self, write: claiming.Write) -> None:
        async with self._room:
            if isinstance(write, claiming.SelectNode):
                claim = write.claim
                answer = await self._client.merge_patch(resources.CLAIMS, claim.name, write.patch, claim.namespace)
                self._known.selected(write, answer)
            else:
                answer = await self._client.merge_patch(resources.VOLUMES, write.volume.name, write.patch)
                self._known.held(write, answer)


def claim_key(uid: str) -> str:
    """Return the back-off key of a claim."""
    return f"claim/{uid}"
