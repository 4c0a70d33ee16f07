"""What cluster autoscalers see of a waiting pod: their own conditions, read in their sources and written anew here.

Cluster Autoscaler: isUnschedulable and SchedulerUnprocessedPods in cluster-autoscaler/utils/kubernetes/listers.go and
listPods in cluster-autoscaler/core/static_autoscaler.go of kubernetes/autoscaler. Karpenter: IsProvisionable in
pkg/utils/pod/scheduling.go of kubernetes-sigs/karpenter. Neither asks for the name of the scheduler by default.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from kits.embedded import in_memory
from kits.manifests import builders
from neuronspan_agent import resources
from neuronspan_operator import metrics, reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans
from neuronspan_operator.telling import conditions, refusals

Manifest = dict[str, Any]

HELPED = {"NoNeuronNodes", "NeverFits", "NoNodeMatches", "NoRoom"}
"""Waiting reasons of pods that a node which does not exist yet could take."""


def scheduled_condition(pod: Manifest) -> Manifest:
    conditions_there = pod["status"].get("conditions") or []
    return next((each for each in conditions_there if each["type"] == "PodScheduled"), {})


def cluster_autoscaler_scales_up_for(pod: Manifest, allowed_schedulers: Collection[str] = ()) -> bool:
    """Unbound, not deleted, not ended, PodScheduled False for being Unschedulable; of an allowed scheduler if named."""
    condition = scheduled_condition(pod)
    return (
        not pod["spec"].get("nodeName")
        and "deletionTimestamp" not in pod["metadata"]
        and pod["status"]["phase"] not in {"Succeeded", "Failed"}
        and (condition.get("status"), condition.get("reason")) == ("False", "Unschedulable")
        and (not allowed_schedulers or pod["spec"]["schedulerName"] in allowed_schedulers)
    )


def cluster_autoscaler_takes_for_unprocessed(pod: Manifest, bypassed_schedulers: Collection[str]) -> bool:
    """Of a scheduler that is not waited for, and that has said nothing: no condition, or False without a reason."""
    condition = scheduled_condition(pod)
    silent = not condition or (condition.get("status") == "False" and not condition.get("reason"))
    return pod["spec"]["schedulerName"] in bypassed_schedulers and not pod["spec"].get("nodeName") and silent


def karpenter_provisions_for(pod: Manifest) -> bool:
    """Said to be Unschedulable, unbound, not about to preempt, of no DaemonSet and no node."""
    owners = {(owner["apiVersion"], owner["kind"]) for owner in pod["metadata"].get("ownerReferences") or ()}
    return (
        scheduled_condition(pod).get("reason") == "Unschedulable"
        and not pod["spec"].get("nodeName")
        and not pod["status"].get("nominatedNodeName")
        and not owners & {("apps/v1", "DaemonSet"), ("v1", "Node")}
    )


class _Cache:
    def saw_pod(self, before: pods.PodView, manifest: Mapping[str, Any]) -> None:
        """Take no note."""


async def told(reason: reasons.WaitingReason, **pod: Any) -> Manifest:
    """Return a pod that waits for this reason, after it was told."""
    server = in_memory.ApiServer()
    server.put(resources.PODS, builders.make_pod("web", cores=4, owner="web", **pod))
    now = dt.datetime(2026, 1, 31, 9, tzinfo=dt.UTC)
    teller = conditions.Teller(server, _Cache(), refusals.Refusals(), metrics.Metrics(), now=lambda: now)
    known = {view.uid: view for view in map(pods.read, server.all(resources.PODS))}
    teller.tell({"uid-web": plans.Waiting(reason, "0/5 nodes are available.")}, known.get)
    await teller.flush()
    return server.stored(resources.PODS, "web", "default")


@pytest.mark.parametrize("reason", reasons.WaitingReason)
async def test_autoscalers_act_exactly_where_another_node_would_help(reason: reasons.WaitingReason) -> None:
    pod = await told(reason)
    helped = str(reason) in HELPED
    assert cluster_autoscaler_scales_up_for(pod) is helped
    assert cluster_autoscaler_scales_up_for(pod, allowed_schedulers={"default-scheduler", "neuronspan"}) is helped
    assert karpenter_provisions_for(pod) is helped


@pytest.mark.parametrize("reason", reasons.WaitingReason)
async def test_pod_that_was_told_is_never_taken_for_one_that_no_scheduler_has_seen(
    reason: reasons.WaitingReason,
) -> None:
    assert not cluster_autoscaler_takes_for_unprocessed(await told(reason), {"neuronspan"})


async def test_pod_behind_a_gate_is_left_to_the_api_server() -> None:
    pod = await told(reasons.WaitingReason.NO_ROOM, gates=["example.com/quota"])
    assert scheduled_condition(pod) == {}
    assert not karpenter_provisions_for(pod)


async def test_autoscaler_with_a_list_of_schedulers_has_to_name_ours() -> None:
    pod = await told(reasons.WaitingReason.NO_ROOM)
    assert not cluster_autoscaler_scales_up_for(pod, allowed_schedulers={"default-scheduler"})
