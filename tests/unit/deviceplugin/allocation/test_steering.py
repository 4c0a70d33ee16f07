"""Which grant a call belongs to."""

import pytest

from kits.manifests import domain
from neuronspan import grants, instance_types, ledger, names
from neuronspan_deviceplugin import reasons
from neuronspan_deviceplugin.allocation import pod_devices, steering

HARDWARE = instance_types.hardware_of("trn1.32xlarge")
CORES = names.CORE_RESOURCE


def _pod(name: str = "web", served: str = "", containers: str = "app") -> pod_devices.PodDevices:
    """A listed pod; the containers named in ``served`` have devices."""
    devices = {each: {CORES: frozenset({"0"})} for each in served.split()}
    listed = tuple(pod_devices.ContainerDevices(each, devices.get(each, {})) for each in containers.split())
    return pod_devices.PodDevices("default", name, listed)


def _choose(
    book: ledger.Ledger,
    pods: list[pod_devices.PodDevices] | None,
    count: int = 4,
    *,
    allocated: tuple[grants.Key, ...] = (),
    must_include: str = "",
    resource: str = CORES,
) -> steering.Answer:
    included = frozenset(domain.span(must_include)) if must_include else frozenset[int]()
    call = steering.Call(resource, frozenset(range(32)), included, count)
    return steering.choose(call, HARDWARE, book, pods, allocated=allocated, avoid=())


WAITING = {
    "a listed pod without devices": ([_pod()], True),
    "no answer of PodResources": (None, True),
    "a pod kubelet does not know": ([_pod("other")], False),
    "a container that has its devices": ([_pod(served="app")], False),
    "a pod of the same name elsewhere": ([pod_devices.PodDevices("ns", "web", _pod().containers)], False),
}


@pytest.mark.parametrize(("pods", "found"), WAITING.values(), ids=WAITING.keys())
def test_grant_waits_for(pods: list[pod_devices.PodDevices] | None, found: bool) -> None:
    choice = _choose(domain.book(32, [domain.grant("20-23")]), pods)
    assert (choice.outcome is reasons.SteeringOutcome.GRANT) is found
    assert (str(choice.span) == "20-23") is found


NOT_THIS = {
    "of another size": domain.grant("20-22"),
    "of the other resource": domain.grant("20-23", resource=names.DEVICE_RESOURCE),
    "that is being released": domain.grant("20-23", state=grants.GrantState.RELEASING),
    "larger, without an init container": domain.grant("20-27"),
}


@pytest.mark.parametrize("grant", NOT_THIS.values(), ids=NOT_THIS.keys())
def test_grant_is_not_this_calls(grant: grants.Grant) -> None:
    assert _choose(domain.book(32, [grant]), [_pod()]).outcome is reasons.SteeringOutcome.UNMANAGED


def test_confirmed_grant_serves_a_container_that_lost_its_devices() -> None:
    book = domain.book(32, [domain.grant("20-23", state=grants.GrantState.CONFIRMED)])
    assert _choose(book, [_pod()]).outcome is reasons.SteeringOutcome.GRANT


RACES = {
    "a new decision beats an old one": (
        domain.grant("0-3", "old", state=grants.GrantState.CONFIRMED), domain.grant("8-11"), (), "8-11",
    ),
    "the whole span beats a beginning": (
        domain.grant("0-7", "old", init_containers=("init",)), domain.grant("8-11"), (), "8-11",
    ),
    "who was not served beats who was": (
        domain.grant("0-3", "old"), domain.grant("8-11"), (("uid-old", "app"),), "8-11",
    ),
    "the older decision is first": (domain.grant("0-3", "old", since=domain.LATER), domain.grant("8-11"), (), "8-11"),
}  # fmt: skip


@pytest.mark.parametrize(("one", "other", "allocated", "cores"), RACES.values(), ids=RACES.keys())
def test_race_between_two_waiting_pods(
    one: grants.Grant, other: grants.Grant, allocated: tuple[grants.Key, ...], cores: str
) -> None:
    choice = _choose(domain.book(32, [one, other]), [_pod("old"), _pod()], allocated=allocated)
    assert str(choice.span) == cores
    assert choice.candidates == 2


def test_containers_of_one_pod_come_in_its_own_order() -> None:
    book = domain.book(32, [domain.grant("0-3", container="b"), domain.grant("8-11", container="a")])
    assert str(_choose(book, [_pod(containers="a b")]).span) == "8-11"
    assert str(_choose(book, [_pod(containers="a b", served="a")]).span) == "0-3"


def test_second_choice_serves_when_kubelet_does_not_offer_the_first() -> None:
    book = domain.book(32, [domain.grant("0-3", "a"), domain.grant("8-11", "b", since=domain.LATER)])
    call = steering.Call(CORES, frozenset(range(8, 32)), frozenset(), 4)
    choice = steering.choose(call, HARDWARE, book, [_pod("a"), _pod("b")], allocated=(), avoid=())
    assert (choice.outcome, str(choice.span)) == (reasons.SteeringOutcome.GRANT, "8-11")


CHAIN = domain.grant("8-12", init_containers=("init",))


@pytest.mark.parametrize(
    ("count", "included", "cores"),
    [(2, "", "8-9"), (5, "8-9", "8-12"), (5, "", "8-12"), (3, "8-9", "8-10")],
    ids=["init container", "its successor", "same size", "an init container in between"],
)
def test_chain_is_used_from_its_beginning(count: int, included: str, cores: str) -> None:
    choice = _choose(domain.book(32, [CHAIN]), [_pod()], count, must_include=included)
    assert (choice.outcome, str(choice.span)) == (reasons.SteeringOutcome.GRANT, cores)


def test_must_include_outside_the_chain_is_not_steered_into_it() -> None:
    choice = _choose(domain.book(32, [CHAIN]), [_pod()], 5, must_include="20-21")
    assert (choice.outcome, str(choice.span)) == (reasons.SteeringOutcome.UNMANAGED, "20-24")


def test_run_for_a_stray_pod_goes_down_when_there_is_no_room_upwards() -> None:
    book = domain.book(32, [domain.grant("22-31")])
    assert str(_choose(book, [], 4, must_include="20-21").span) == "18-21"


def test_stray_devices_start_on_a_device() -> None:
    call = steering.Call(names.DEVICE_RESOURCE, frozenset(range(32)), frozenset(), 4)
    choice = steering.choose(call, HARDWARE, domain.book(32, [domain.grant("0")]), [], allocated=(), avoid=())
    assert str(choice.span) == "2-5"


def test_no_run_is_explained() -> None:
    choice = _choose(domain.book(32, [domain.grant("0-14"), domain.grant("16-31", "b")]), [], 2)
    assert choice.outcome is reasons.SteeringOutcome.NONE
    assert "the largest free run is 1 (15)" in choice.why


def test_must_include_that_no_run_holds_is_explained() -> None:
    call = steering.Call(CORES, frozenset(range(32)), frozenset({0, 9}), 4)
    choice = steering.choose(call, HARDWARE, domain.book(32), [], allocated=(), avoid=())
    assert "cores 0, 9 must be included and do not lie in one run of 4" in choice.why


@pytest.mark.parametrize(
    ("cores", "init", "covered"),
    [("8-12", (), True), ("8-9", (), False), ("8-9", ("init",), True), ("9-10", ("init",), False)],
    ids=["all", "beginning without chain", "beginning of a chain", "middle of a chain"],
)
def test_grant_covers(cores: str, init: tuple[str, ...], covered: bool) -> None:
    assert steering.covers(domain.grant("8-12", init_containers=init), domain.span(cores)) is covered
