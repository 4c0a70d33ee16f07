"""Results as scheduler_perf writes them, from a comparison that is given."""

from typing import Any

from performance.cluster import figures, measuring, sampling, scheduler_perf


def _run(rate: float) -> figures.Run:
    created = {f"pod-{number}": 0.0 for number in range(8)}
    bound = {name: (number + 1) / rate for number, name in enumerate(created)}
    used = {"operator": 0.016, "kube-scheduler": 0.024, "kube-apiserver": 0.08}
    return figures.Run(created, bound, used, {"POST events": 8.0, "POST pods/binding": 8.0})


RESULT = measuring.Comparison(
    nodes=100,
    pods=8,
    runs={"plain": [_run(2.0)], "cores": [_run(1.0)]},
    idle_milliseconds={"plain": [10.0], "cores": [15.0]},
)


def _item(name: str, metric: str) -> dict[str, Any]:
    items = scheduler_perf.document([RESULT])["dataItems"]
    (found,) = [each for each in items if (each["labels"]["Name"], each["labels"]["Metric"]) == (name, metric)]
    return dict(found)


def test_cases_have_the_names_and_buckets_of_scheduler_perf() -> None:
    item = _item("SchedulingBasic/100Nodes_8Pods", "SchedulingThroughput")
    assert item["data"] == {"Average": 2.0, "Perc50": 2.0, "Perc90": 2.0, "Perc95": 2.0, "Perc99": 2.0}
    assert item["unit"] == "pods/s"
    assert item["labels"]["Scheduler"] == "kube-scheduler"


def test_pods_with_cores_are_the_case_with_an_extended_resource() -> None:
    item = _item("SchedulingWithExtendedResource/8pods_100nodes", "SchedulingDuration")
    assert item == {"data": {"Duration": 8.0}, "unit": "s", "labels": item["labels"]}
    assert item["labels"]["Scheduler"] == "neuronspan"


def test_all_items_have_the_same_labels() -> None:
    document = scheduler_perf.document([RESULT])
    assert document["version"] == "v1"
    assert len({tuple(sorted(each["labels"])) for each in document["dataItems"]}) == 1


def test_samples_have_every_quantity_with_a_limit() -> None:
    samples = sampling.samples_of(RESULT)
    assert samples["speed_ratio"] == [0.5]
    assert samples["idle_ratio"] == [1.5]
    assert samples["cores_writes"] == [2.0]
    assert samples["operator"] == [2.0]
    assert samples["kube_scheduler"] == [3.0]
    assert samples["plain_apiserver"] == [10.0]
