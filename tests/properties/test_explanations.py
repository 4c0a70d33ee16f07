"""For any history of a cluster: an explainer that was there all the time says what a new one says."""

import dataclasses
from collections.abc import Collection
from typing import Any

import hypothesis
from hypothesis import strategies

from kits.manifests import builders, clusters, domain, snapshots
from kits.planning import kept_drafts
from neuronspan import grants, names, placement
from neuronspan.fitting import places
from neuronspan_operator.objects import container_requests, pods
from neuronspan_operator.planning import plans
from neuronspan_operator.planning.drafting import node_drafts
from neuronspan_operator.planning.explanations import explainer, ways_out

NODES = ("w1", "w2", "w3", "w4")
STATES = tuple(grants.GrantState)

ASKING = (
    builders.make_pod("n0", cores=8),
    builders.make_pod("n1", containers=[builders.container(cores=8, cpu="3")]),
    builders.make_pod("n2", devices=7, selector={"zone": "a"}),
    builders.make_pod(
        "n3", cores=4, annotations={names.VISIBLE_CORES_ANNOTATION: "9-12", names.ALIGN_ANNOTATION: "device"}
    ),
    builders.make_pod("n4", containers=[builders.container("a", cores=6), builders.container("b", cores=7)]),
    builders.make_pod("n5", cores=2, affinity=clusters.affinity(far=[clusters.term("zone", {})])),
    builders.make_pod("n6", cores=1, tolerations=[{"key": "a", "operator": "Exists"}]),
)


@strategies.composite
def _ledgers(draw: strategies.DrawFn, node: str, cores: int) -> list[grants.Grant]:
    found, first = [], 0
    for gap, count in draw(strategies.lists(strategies.tuples(strategies.integers(0, 4), strategies.integers(1, 8)))):
        first += gap
        if first + count > cores:
            break
        pod = draw(strategies.sampled_from([f"{node}-{first}", f"{node}-x", "n0"]))
        state = draw(strategies.sampled_from(STATES))
        found.append(domain.grant(f"{first}-{first + count - 1}", pod, container=f"c{first}", state=state))
        first += count
    return found


@strategies.composite
def _members(draw: strategies.DrawFn, name: str) -> dict[str, Any]:
    instance_type, cores = draw(strategies.sampled_from([(builders.SMALL, 12), (builders.LARGE, 32)]))
    ailing = draw(strategies.dictionaries(strategies.integers(0, cores - 1), strategies.just("ECC"), max_size=2))
    registered = draw(strategies.sampled_from([True, True, True, False]))
    book = draw(_ledgers(name, cores))
    found = builders.make_neuron_node(name, book, instance_type=instance_type, unhealthy=ailing, registered=registered)
    if draw(strategies.integers(0, 9)) == 0:
        found["spec"]["grants"] = [{}]
    return found


@strategies.composite
def _parts(draw: strategies.DrawFn, name: str) -> dict[str, list[dict[str, Any]]]:
    """Return what there is of one node: at most a Node and a NeuronNode, and the pods on it."""
    node = builders.make_node(
        name,
        cpu=draw(strategies.sampled_from(["1", "8"])),
        labels={"zone": draw(strategies.sampled_from("ab"))},
        taints=draw(strategies.sampled_from([[], [], [{"key": "a", "value": "", "effect": "NoSchedule"}]])),
        cordoned=draw(strategies.sampled_from([False, False, True])),
        ready=draw(strategies.sampled_from([True, True, True, False])),
    )
    there = draw(strategies.lists(strategies.sampled_from("pq"), unique=True))
    return {
        "nodes": draw(strategies.sampled_from([[node], [node], [node], []])),
        "members": [draw(_members(name))] if draw(strategies.integers(0, 4)) else [],
        "pods": [builders.make_pod(f"{name}-{each}", cores=1, node=name, phase="Running") for each in there],
    }


def _snapshot(world: dict[str, dict[str, list[dict[str, Any]]]], avoided: str) -> plans.Snapshot:
    there = {
        kind: [each for name in sorted(world) for each in world[name][kind]] for kind in ("nodes", "members", "pods")
    }
    found = snapshots.snapshot([*ASKING, *there["pods"]], there["nodes"], there["members"])
    return dataclasses.replace(found, avoided={"uid-n1": frozenset({avoided})})


_steps = strategies.lists(
    strategies.tuples(
        strategies.sampled_from(NODES).flatmap(lambda name: strategies.tuples(strategies.just(name), _parts(name))),
        strategies.lists(strategies.sampled_from(ASKING), min_size=1, max_size=4, unique_by=id),
    ),
    min_size=1,
    max_size=6,
)


@hypothesis.given(strategies.fixed_dictionaries({name: _parts(name) for name in NODES}), _steps)
@hypothesis.settings(max_examples=60)
def test_kept_explainer_says_what_a_new_one_says(world: dict[str, Any], steps: list[Any]) -> None:
    draft = kept_drafts.make_draft(_snapshot(world, "w1"))
    kept = explainer.Explainer(draft)
    for (changed, parts), asking in steps:
        world = {**world, changed: parts}
        kept_drafts.turn(draft, _snapshot(world, changed), [changed])
        new = explainer.Explainer(draft)
        for pod in map(pods.read, asking):
            assert kept.explain(pod) == new.explain(pod)


@strategies.composite
def _full_nodes(draw: strategies.DrawFn) -> node_drafts.NodeDraft:
    book = draw(_ledgers("w1", 12))
    ailing = draw(strategies.dictionaries(strategies.integers(0, 11), strategies.just(""), max_size=1))
    member = builders.make_neuron_node("w1", book, instance_type=builders.SMALL, unhealthy=ailing)
    return kept_drafts.make_draft(snapshots.snapshot([], [builders.make_node("w1")], [member])).nodes["w1"]


_wanted = strategies.lists(
    strategies.tuples(strategies.integers(1, 6), strategies.sampled_from([None, placement.Alignment.DEVICE])),
    min_size=1,
    max_size=2,
)


@hypothesis.given(_full_nodes(), _wanted)
@hypothesis.settings(max_examples=200)
def test_pods_that_are_named_make_room_and_no_cheaper_pod_alone_would(
    node: node_drafts.NodeDraft, wanted: list[tuple[int, placement.Alignment | None]]
) -> None:
    requests = [
        container_requests.ContainerRequest(f"c{at}", count, align=align) for at, (count, align) in enumerate(wanted)
    ]

    def fits_without(uids: Collection[str]) -> bool:
        left = [grant.span for grant in node.ledger.grants if grant.pod_uid not in uids]
        asked = [each.on(node.hardware, node.policy.rules) for each in requests]
        found = places.place_all(node.hardware, [*left, *node.blocked], asked, node.policy.packing)
        return not isinstance(found, placement.Unplaceable)

    hypothesis.assume(not fits_without(()))
    best = ways_out.best(node, requests)
    there = {grant.pod_uid for grant in node.ledger.grants}
    alone = [
        ({grant.state for grant in ended} != {grants.GrantState.RELEASING}, sum(grant.span.count for grant in ended))
        for uid in there
        if fits_without({uid}) and (ended := node.ledger.of_pod(uid))
    ]
    assert (best is None) == (not fits_without(there))
    assert best is None or fits_without({grant.pod_uid for grant in best.blockers})
    assert not alone or (best is not None and (bool(best.live_pods), best.cores) == min(alone))
