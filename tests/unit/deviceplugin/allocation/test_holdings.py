"""Who holds which cores: what Allocate, names and starts change in the record, and what it says of shared cores."""

import dataclasses

import pytest

from kits.kubelet import holders
from kits.manifests import domain
from neuronspan import names
from neuronspan_deviceplugin.allocation import holdings


def test_learnt_name_fills_only_a_missing_one() -> None:
    place = {(holders.CORES, domain.span("4-7")): ("ns", "other", "app")}
    (found,) = holdings.named((holders.holding(namespace="default", pod="web"),), place)
    assert found.pod == "web"
    (found,) = holdings.named((holders.holding(),), place)
    assert (found.namespace, found.pod) == ("ns", "other")


def test_new_devices_of_a_container_replace_its_old_ones() -> None:
    old, neighbour = holders.holding("0-1"), holders.holding("8-9", "uid-b")
    assert holdings.allocated((old, neighbour), holders.holding("4-7")) == (neighbour, holders.holding("4-7"))


def test_unidentified_holding_is_not_doubled_by_the_next_container_on_its_cores() -> None:
    assert holdings.allocated((holders.holding(uid=""),), holders.holding(uid="")) == (holders.holding(uid=""),)


def test_start_verifies_exactly_the_holder_that_started() -> None:
    other = holders.holding("4-7", "uid-b")
    found = holdings.verified((holders.holding(), other), holders.CORES, domain.span("4-7"), "uid-web")
    assert [each.verified for each in found] == [True, False]


@pytest.mark.parametrize(
    ("other", "alive", "found"),
    [
        (holders.holding("6-9", "uid-b", verified=True), True, 1),
        (holders.holding("6-9", "uid-b", verified=False), True, 0),
        (holders.holding("6-9", "uid-b", verified=True), False, 0),
        (holders.holding("8-9", "uid-b", verified=True), True, 0),
        (holders.holding("4-5", "uid-web", verified=True), True, 0),
    ],
    ids=["both run", "one was not let start", "one is gone", "neighbours", "one pod"],
)
def test_two_pods_that_run_on_one_core_are_seen(other: holdings.Holding, alive: bool, found: int) -> None:
    record = (holders.holding(verified=True), other)
    assert len(holdings.shared(record, holders.alive(web=True, b=alive))) == found


def test_what_is_given_anew_outdates_entries_of_other_pods_only() -> None:
    over = holders.placed("4-7", "uid-former")
    kept = [
        holders.placed("4-7", "uid-web", "init"),
        holders.placed("8-9", "uid-former"),
        holders.placed("4-7", "uid-former", resource=names.DEVICE_RESOURCE),  # kubelet counts the two apart
        dataclasses.replace(over, former=True),  # and these, too
    ]
    assert holdings.given_anew([over, *kept], holders.CORES, domain.span("6-7"), "uid-web") == {over}
