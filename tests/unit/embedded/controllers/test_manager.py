"""Workloads become pods."""

from typing import Any

from kits.embedded import cluster as embedded
from neuronspan_embedded.api_server import deleting
from neuronspan_embedded.controllers import limits

TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "app", "image": "x:1"}]}}
SELECTED = {"selector": {"matchLabels": {"app": "x"}}}


def _workload(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "w"}, "spec": {**SELECTED, "template": TEMPLATE, **spec}}


def _job(**spec: Any) -> dict[str, Any]:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "x"}]}}
    return {"metadata": {"name": "j"}, "spec": {"template": template, **spec}}


def _phases(cluster: embedded.Embedded) -> list[str]:
    return [pod["status"]["phase"] for pod in cluster.all("pods")]


def test_a_deployment_gets_its_pods_and_says_that_they_serve() -> None:
    cluster = embedded.Embedded()
    cluster.create("deployments", _workload(replicas=3))
    cluster.settle()
    assert len(cluster.all("pods")) == 3
    cluster.all_ready()
    status = cluster.get("deployments", "w")["status"]
    assert (status["readyReplicas"], status["conditions"][0]["status"]) == (3, "True")


def test_a_deployment_replaces_pods_of_an_old_template_without_losing_more_than_it_may() -> None:
    cluster = embedded.Embedded()
    cluster.create("deployments", _workload(replicas=4))
    cluster.settle()
    cluster.all_ready()
    target = cluster.target("deployments", "w")
    image = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "x:2"}]}}}}
    cluster.calls.patch(target, image, "application/strategic-merge-patch+json")
    cluster.settle()
    served = [pod for pod in cluster.all("pods") if pod["status"]["phase"] == "Running"]
    assert len(served) == 3
    for _ in range(4):
        cluster.all_ready()
    assert {pod["spec"]["containers"][0]["image"] for pod in cluster.all("pods")} == {"x:2"}
    assert len(cluster.all("pods")) == 4


def test_pods_go_with_the_deployment_that_made_them() -> None:
    cluster = embedded.Embedded()
    cluster.create("deployments", _workload(replicas=2))
    cluster.settle()
    deleting.delete(cluster.calls, cluster.target("deployments", "w"), deleting.Wish(policy="Foreground"))
    cluster.settle()
    assert (cluster.all("pods"), cluster.all("replicasets"), cluster.all("deployments")) == ([], [], [])


def test_a_job_ends_with_its_completions() -> None:
    cluster = embedded.Embedded()
    cluster.create("jobs", _job(completions=3, parallelism=2))
    cluster.settle()
    assert _phases(cluster) == ["Pending", "Pending"]
    for _ in range(2):
        for pod in cluster.all("pods"):
            if pod["status"]["phase"] == "Pending":
                cluster.say(pod, "Succeeded")
        cluster.settle()
    status = cluster.get("jobs", "j")["status"]
    assert (status["succeeded"], status["conditions"][0]["type"]) == (3, "Complete")


def test_a_job_fails_when_more_pods_have_failed_than_it_allows() -> None:
    cluster = embedded.Embedded()
    cluster.create("jobs", _job(backoffLimit=1))
    cluster.settle()
    for _ in range(2):
        cluster.say(next(pod for pod in cluster.all("pods") if pod["status"]["phase"] == "Pending"), "Failed")
        cluster.settle()
    status = cluster.get("jobs", "j")["status"]
    assert (status["failed"], status["conditions"][0]["reason"]) == (2, "BackoffLimitExceeded")
    assert _phases(cluster) == ["Failed", "Failed"]


def test_an_indexed_job_tells_each_pod_its_number() -> None:
    cluster = embedded.Embedded()
    cluster.create("jobs", _job(completions=2, parallelism=2, completionMode="Indexed"))
    cluster.settle()
    told = [pod["spec"]["containers"][0]["env"] for pod in cluster.all("pods")]
    assert told == [[{"name": "JOB_COMPLETION_INDEX", "value": number}] for number in ("0", "1")]


def test_a_stateful_set_starts_its_pods_one_after_another() -> None:
    cluster = embedded.Embedded()
    cluster.create("statefulsets", _workload(replicas=2, serviceName="s"))
    cluster.settle()
    assert [pod["metadata"]["name"] for pod in cluster.all("pods")] == ["w-0"]
    cluster.all_ready()
    assert [pod["metadata"]["name"] for pod in cluster.all("pods")] == ["w-0", "w-1"]


def test_a_budget_allows_what_its_pods_can_lose() -> None:
    cluster = embedded.Embedded()
    cluster.create("deployments", _workload(replicas=3))
    cluster.create("poddisruptionbudgets", {"metadata": {"name": "b"}, "spec": {**SELECTED, "minAvailable": 2}})
    cluster.settle()
    cluster.all_ready()
    assert cluster.get("poddisruptionbudgets", "b")["status"]["disruptionsAllowed"] == 1


def test_a_namespace_goes_with_all_that_is_in_it() -> None:
    cluster = embedded.Embedded()
    cluster.create("namespaces", {"metadata": {"name": "n"}})
    target = cluster.target("configmaps")
    cluster.calls.create(type(target)(target.kind, "n"), {"metadata": {"name": "c"}})
    deleting.delete(cluster.calls, cluster.target("namespaces", "n"), deleting.Wish())
    cluster.settle()
    assert cluster.all("configmaps") == []
    assert "n" not in {each["metadata"]["name"] for each in cluster.all("namespaces")}


def test_a_plain_pod_is_bound_where_it_fits_and_told_why_it_waits_where_it_does_not() -> None:
    cluster = embedded.Embedded()
    ready = [{"type": "Ready", "status": "True"}]
    amounts = {"cpu": "1", "memory": "1Gi", "pods": "10"}
    status = {"capacity": amounts, "allocatable": amounts, "conditions": ready}
    cluster.create("nodes", {"metadata": {"name": "n"}, "status": status})
    for name, cpu in (("fits", "1"), ("waits", "2")):
        container = {"name": "app", "image": "x", "resources": {"requests": {"cpu": cpu}}}
        cluster.create("pods", {"metadata": {"name": name}, "spec": {"containers": [container]}})
    cluster.settle()
    assert cluster.get("pods", "fits")["spec"]["nodeName"] == "n"
    told = cluster.get("pods", "waits")["status"]["conditions"][0]
    assert (told["reason"], told["message"]) == ("Unschedulable", "0/1 nodes are available: 1 Insufficient cpu.")


def test_what_is_not_carried_out_is_named() -> None:
    service = {"kind": "Service", "metadata": {"name": "s"}}
    timed = {"kind": "Job", "metadata": {"name": "j"}, "spec": {"activeDeadlineSeconds": 5}}
    assert list(limits.of(service)) == ["Service s: no traffic is carried to its pods"]
    assert list(limits.of(timed)) == [
        "Job j: spec.activeDeadlineSeconds is not carried out; the Job runs for as long as it takes"
    ]
    assert list(limits.of({"kind": "Pod", "metadata": {"name": "p"}})) == []
