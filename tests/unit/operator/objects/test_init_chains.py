"""The sizes and outcomes are those that real kubelets gave: see the page on placement."""

from typing import Any

import pytest

from kits.manifests import builders
from neuronspan_operator.objects import init_chains, pods


def _chains(init: list[Any], apps: list[Any]) -> dict[str, tuple[int, tuple[str, ...]]]:
    view = pods.read(builders.make_pod(init_containers=init, containers=apps))
    return {request.container: (request.count, request.init_containers) for request in view.requests}


def _init(name: str, cores: int = 0, devices: int = 0, *, sidecar: bool = False) -> Any:
    return builders.container(name, cores=cores, devices=devices, sidecar=sidecar)


APP = builders.container


@pytest.mark.parametrize(("count", "refused"), [(64, False), (65, True), (100, True)])
def test_more_init_containers_than_a_grant_can_name_are_refused(count: int, *, refused: bool) -> None:
    inits = [_init(f"i{number}", 1) for number in range(count)]
    view = pods.read(builders.make_pod(init_containers=inits, containers=[APP(cores=1)]))
    said = f"{count} init containers ask for aws.amazon.com/neuroncore, and a grant names at most 64"
    assert any(said in problem for problem in view.problems) == refused


@pytest.mark.parametrize(
    ("init", "apps", "wanted"),
    [
        pytest.param([_init("i", 4)], [APP(cores=4)], {"app": (4, ("i",))}, id="equal: the same cores"),
        pytest.param([_init("i", 2)], [APP(cores=5)], {"app": (5, ("i",))}, id="larger: one span of the largest"),
        pytest.param(
            [_init("i", 1), _init("j", 3)], [APP(cores=3)], {"app": (3, ("i", "j"))}, id="init containers chain"
        ),
        pytest.param([_init("i", 4)], [APP(cores=0)], {"i": (4, ())}, id="nobody takes over: held to the end"),
        pytest.param([_init("i", 1), _init("j", 2)], [APP()], {"j": (2, ("i",))}, id="chain of init containers only"),
        pytest.param(
            [_init("s", 2, sidecar=True)], [APP(cores=3)], {"s": (2, ()), "app": (3, ())}, id="sidecar keeps its own"
        ),
        pytest.param(
            [_init("i", 2), _init("s", 3, sidecar=True)],
            [APP(cores=1)],
            {"s": (3, ("i",)), "app": (1, ())},
            id="sidecar takes over from an init container",
        ),
        pytest.param(
            [_init("i", 4)],
            [APP("a", cores=4), APP("b", cores=1)],
            {"a": (4, ("i",)), "b": (1, ())},
            id="the first container takes over, the second gets its own",
        ),
        pytest.param(
            [_init("i", 4)],
            [APP("a"), APP("b", cores=4)],
            {"b": (4, ("i",))},
            id="a container that asks for nothing is passed over",
        ),
        pytest.param(
            [_init("i", devices=1)],
            [APP(cores=1)],
            {"i": (1, ()), "app": (1, ())},
            id="cores and devices are separate reuse sets",
        ),
    ],
)
def test_chain_is_one_grant(init: list[Any], apps: list[Any], wanted: dict[str, tuple[int, tuple[str, ...]]]) -> None:
    assert _chains(init, apps) == wanted


@pytest.mark.parametrize(
    ("init", "apps", "named"),
    [
        pytest.param([_init("i", 4)], [APP(cores=2)], ("container app", "for 2 of", "the 4", "i"), id="app"),
        pytest.param([_init("i", 4), _init("j", 1)], [APP(cores=4)], ("init container j", "1", "4"), id="init"),
        pytest.param([_init("i", 2), _init("s", 1, sidecar=True)], [APP()], ("sidecar s", "1", "2"), id="sidecar"),
        pytest.param(
            [_init("i", devices=2)], [APP(devices=1)], ("container app", "aws.amazon.com/neuron"), id="devices"
        ),
    ],
)
def test_chain_that_shrinks_is_refused_with_the_reason(
    init: list[Any], apps: list[Any], named: tuple[str, ...]
) -> None:
    (problem,) = pods.read(builders.make_pod(init_containers=init, containers=apps)).problems
    for word in (*named, "random", "ask for at least"):
        assert word in problem


def test_containers_are_walked_in_kubelets_order() -> None:
    pod = builders.make_pod(init_containers=[_init("i"), _init("s", sidecar=True)], containers=[APP("a"), APP("b")])
    kinds = [(each.name, each.kind.name) for each in init_chains.containers(pod["spec"])]
    assert kinds == [("i", "INIT"), ("s", "SIDECAR"), ("a", "APP"), ("b", "APP")]
