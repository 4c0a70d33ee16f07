"""For any cluster and pods: verdicts depend on who is where, not on how that came about."""

from typing import Any

import hypothesis
from hypothesis import strategies

from kits.manifests import builders, clusters
from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.scheduling import cluster_state, screening

NAMES = ("w1", "w2", "w3")
KEYS = ("zone", "kubernetes.io/hostname")
APPS = ("web", "db")

_taints = strategies.lists(
    strategies.builds(
        lambda key, effect: {"key": key, "value": "", "effect": effect},
        strategies.sampled_from(["a", "b"]),
        strategies.sampled_from(["NoSchedule", "PreferNoSchedule"]),
    ),
    max_size=1,
)
_terms = strategies.lists(
    strategies.builds(
        lambda key, app: clusters.term(key, {"app": app}), strategies.sampled_from(KEYS), strategies.sampled_from(APPS)
    ),
    max_size=1,
)


@strategies.composite
def _nodes(draw: strategies.DrawFn) -> list[nodes.NodeView]:
    return [
        nodes.read(
            builders.make_node(
                name,
                cpu="4",
                pods=draw(strategies.integers(1, 4)),
                labels={"zone": zone} if (zone := draw(strategies.sampled_from(["", "a", "b"]))) else {},
                taints=draw(_taints),
                cordoned=draw(strategies.sampled_from([False, False, True])),
            )
        )
        for name in NAMES
    ]


@strategies.composite
def _pods(draw: strategies.DrawFn, name: str) -> pods.PodView:
    container = builders.container(cores=1, cpu=draw(strategies.sampled_from(["", "1", "3"])))
    port = draw(strategies.sampled_from([0, 0, 80]))
    container["ports"] = [{"containerPort": 1, "hostPort": port}]
    labels = {"app": draw(strategies.sampled_from(APPS))}
    spread = [clusters.spread("zone", labels)] if draw(strategies.booleans()) else []
    return clusters.make_pod(
        name,
        labels,
        spreads=spread,
        containers=[container],
        affinity=clusters.affinity(near=draw(_terms), far=draw(_terms), liked={5: clusters.term("zone", labels)}),
        selector={"zone": "a"} if draw(strategies.sampled_from([False, False, True])) else None,
        tolerations=[{"key": "a", "operator": "Exists"}] if draw(strategies.booleans()) else [],
    )


_placed = strategies.lists(strategies.sampled_from(NAMES), min_size=4, max_size=4)
_four = strategies.tuples(*(_pods(f"p{index}") for index in range(4)))


def _seen(pod: pods.PodView, cluster: cluster_state.Cluster) -> Any:
    """Everything that is said of a pod."""
    states = list(cluster.nodes.values())
    return screening.verdicts(pod, cluster), screening.soft_scores(pod, cluster, states)


@hypothesis.given(_nodes(), _four, _placed, _pods("new"), _pods("guest"), strategies.sampled_from(NAMES))
@hypothesis.settings(deadline=None, max_examples=200)
def test_adding_a_pod_and_taking_it_away_changes_no_verdict(
    known: list[nodes.NodeView],
    others: tuple[pods.PodView, ...],
    where: list[str],
    new: pods.PodView,
    guest: pods.PodView,
    node: str,
) -> None:
    cluster = clusters.make_cluster(known, zip(where, others, strict=True))
    before = _seen(new, cluster)
    cluster.add(guest, node)
    beside = _seen(new, cluster)
    assert beside == _seen(new, clusters.make_cluster(known, [*zip(where, others, strict=True), (node, guest)]))
    cluster.remove(guest, node)
    assert _seen(new, cluster) == before


@hypothesis.given(_nodes(), _four, _placed, _pods("new"), strategies.randoms(use_true_random=False))
@hypothesis.settings(deadline=None, max_examples=100)
def test_verdicts_do_not_depend_on_the_order_in_which_the_cluster_was_read(
    known: list[nodes.NodeView], others: tuple[pods.PodView, ...], where: list[str], new: pods.PodView, shuffler: Any
) -> None:
    placed = list(zip(where, others, strict=True))
    first = clusters.make_cluster(known, placed)
    shuffler.shuffle(known)
    shuffler.shuffle(placed)
    assert _seen(new, clusters.make_cluster(known, placed)) == _seen(new, first)


@hypothesis.given(_nodes(), _four, _placed, _pods("new"))
@hypothesis.settings(deadline=None, max_examples=100)
def test_what_is_steady_is_part_of_the_verdict(
    known: list[nodes.NodeView], others: tuple[pods.PodView, ...], where: list[str], new: pods.PodView
) -> None:
    cluster = clusters.make_cluster(known, zip(where, others, strict=True))
    screen = screening.Screen(new, cluster)
    for node in cluster.nodes.values():
        steady = screen.steady_objection(node)
        if steady is not None:
            assert screen.objection(node) == (screen.of_pod or steady)
        assert (screen.objections(node) == ()) == (screen.objection(node) is None)
