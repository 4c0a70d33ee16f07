"""The status document: holders, released pods, conditions."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from kits.embedded import neuron_node_store
from kits.manifests import builders, domain
from neuronspan import grants, instance_types, names
from neuronspan_agent import errors
from neuronspan_deviceplugin import metrics, reasons
from neuronspan_deviceplugin.allocation import health, holdings
from neuronspan_deviceplugin.neuron_node import conditions, reading, status_writer

NOW = "2026-01-31T10:00:00Z"
HARDWARE = instance_types.hardware_of("inf2.24xlarge")
RELEASING = grants.GrantState.RELEASING
FACTS = status_writer.Facts("e1", HARDWARE, {}, (), domain.book(12), {}, ())


def _holding(cores: str, container: str = "app", uid: str = "uid-web", resource: str = "") -> holdings.Holding:
    resource = resource or names.CORE_RESOURCE
    pod = uid.removeprefix("uid-")
    return holdings.Holding(resource, domain.span(cores), 0.0, uid, "default", pod, container, certain=True)


@pytest.mark.parametrize(
    ("alive", "processes"),
    [({"uid-web": True}, True), ({"uid-web": False}, False), ({}, True), ({"uid-web": None}, True)],
)
def test_process_that_cannot_be_seen_counts(alive: dict[str, bool | None], processes: bool) -> None:
    assert status_writer.held((_holding("4-7"),), None, alive) == [builders.held("4-7", processes=processes)]


def test_holders_are_in_the_order_of_their_cores() -> None:
    found = status_writer.held((_holding("8"), _holding("0-1", uid="uid-b")), None, {})
    assert [each["first"] for each in found] == [0, 8]


CHAINED = {
    "longer than its beginning": ([_holding("8-9", "init"), _holding("8-12")], ["app"]),
    "as long as its beginning": ([_holding("8-12", "init"), _holding("8-12")], ["app"]),
    "beside another chain": ([_holding("8-9", "init", "uid-b"), _holding("10-12")], ["init", "app"]),
    "under the other resource": (
        [_holding("8-9", "init", resource=names.DEVICE_RESOURCE), _holding("8-12")],
        ["app", "init"],
    ),
}


@pytest.mark.parametrize(("record", "containers"), CHAINED.values(), ids=CHAINED.keys())
def test_init_container_is_not_listed_beside_its_successor(
    record: list[holdings.Holding], containers: list[str]
) -> None:
    book = domain.book(32, [domain.grant("8-12", init_containers=("init",))])
    found = status_writer.held(tuple(record), book, {})
    assert sorted(each["container"] for each in found) == sorted(containers)


def test_only_a_pod_that_is_over_and_was_looked_at_is_released() -> None:
    entries = [
        domain.grant("0", "gone", state=RELEASING),
        domain.grant("1", "lives", state=RELEASING),
        domain.grant("2", "unseen", state=RELEASING),
        domain.grant("3", "unknown", state=RELEASING),
        domain.grant("4", "granted"),
        domain.grant("5", "gone", state=RELEASING, container="other"),
    ]
    alive = {"uid-gone": False, "uid-lives": True, "uid-unseen": None, "uid-granted": False}
    assert status_writer.released(domain.book(12, entries), alive) == ["uid-gone"]
    assert status_writer.released(None, alive) == []


def test_condition_time_changes_with_its_status_only() -> None:
    def condition(*, holds: bool, reason: reasons.ConditionReason) -> conditions.Condition:
        return conditions.Condition(type=reasons.ConditionType.REGISTERED, holds=holds, reason=reason)

    one, other = reasons.ConditionReason.NOT_REGISTERED, reasons.ConditionReason.STOPPED
    first = status_writer.condition_entries([condition(holds=True, reason=one)], (), "t1")
    second = status_writer.condition_entries([condition(holds=True, reason=other)], first, "t2")
    third = status_writer.condition_entries([condition(holds=False, reason=other)], second, "t3")
    assert [each[0]["lastTransitionTime"] for each in (first, second, third)] == ["t1", "t1", "t3"]
    assert second[0]["reason"] == "Stopped"


def test_long_message_fits_the_schema() -> None:
    long = conditions.Condition(
        type=reasons.ConditionType.RECORD_INTACT,
        holds=False,
        reason=reasons.ConditionReason.SET_ASIDE,
        message="x" * 9000,
    )
    assert len(status_writer.condition_entries([long], (), NOW)[0]["message"]) <= 4096


def test_document_without_hardware_says_nothing_about_cores() -> None:
    document = status_writer.document(dataclasses.replace(FACTS, hardware=None), {}, NOW)
    assert (document["hardware"], document["cores"]) == (None, [])


def test_unhealthy_core_makes_its_device_unhealthy() -> None:
    bad = {
        (resource, each.device_id)
        for resource in names.RESOURCES
        for each in health.devices(resource, HARDWARE, {5: "hot"})
        if not each.healthy
    }
    assert bad == {(names.CORE_RESOURCE, "5"), (names.DEVICE_RESOURCE, "2")}


class _OwnNode:
    """Notes what is written; fails while it has to."""

    def __init__(self) -> None:
        self.written: list[Mapping[str, Any]] = []
        self.fails = False

    async def patch_status(self, status: Mapping[str, Any]) -> None:
        if self.fails:
            raise errors.Unavailable("down")
        self.written.append(status)


def _node(epoch: str = "", uid: str = "uid-nn-w1") -> reading.NeuronNode:
    manifest = neuron_node_store.neuron_node()
    manifest["metadata"]["uid"] = uid
    return reading.read(manifest | ({"status": {"epoch": epoch}} if epoch else {}))


async def test_report_is_written_once_and_again_after_a_failure() -> None:
    own = _OwnNode()
    reporter = status_writer.Reporter(own, lambda: NOW, metrics.Metrics())
    own.fails = True
    await reporter.report(FACTS, _node())
    own.fails = False
    for _ in range(3):
        await reporter.report(FACTS, _node("e1"))
    assert len(own.written) == 1
    await reporter.report(FACTS, _node("another instance's"))
    assert len(own.written) == 2


async def test_report_is_written_again_to_an_object_that_was_made_anew() -> None:
    own = _OwnNode()
    reporter = status_writer.Reporter(own, lambda: NOW, metrics.Metrics())
    await reporter.report(FACTS, _node())
    for _ in range(2):
        await reporter.report(FACTS, _node(uid="uid-made-anew"))
    assert len(own.written) == 2
    assert own.written[0] == own.written[1]
