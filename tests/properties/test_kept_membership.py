"""Who keeps what was decided about nodes says what deciding everything anew would, whatever happened."""

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final

import hypothesis
from hypothesis import strategies

from kits.manifests import builders, domain, pool_views
from neuronspan import grants
from neuronspan_operator.objects import nodes, pools
from neuronspan_operator.planning import facts
from neuronspan_operator.pools import membership

NAMES: Final = tuple(f"w{number}" for number in range(7))
POOLS: Final = ("a", "b", "c")
TYPES: Final = ("trn1.32xlarge", "inf2.24xlarge")
START: Final = dt.datetime(2026, 1, 31, 10, 0, tzinfo=dt.UTC)
Drawn = strategies.DataObject


class Cluster:
    """What there is, what of it was not told yet, and who keeps an answer."""

    def __init__(self) -> None:
        self.nodes: dict[str, nodes.NodeView] = {}
        self.members: dict[str, pools.Member] = {}
        self.pools: dict[str, pools.PoolView] = {}
        self.now = START
        self.kept = membership.Membership()
        self.news: dict[str, dict[str, Any]] = {"nodes": {}, "members": {}, "pools": {}}

    def put(self, kind: str, name: str, value: object) -> None:
        """Let something be otherwise; None lets it go."""
        known = getattr(self, kind)
        known.pop(name, None)
        if value is not None:
            known[name] = value
        self.news[kind][name] = value

    def compare(self) -> None:
        """Tell what is new; the answer is that of somebody who decides on everything."""
        news, self.news = self.news, {"nodes": {}, "members": {}, "pools": {}}
        changes = facts.Changes(nodes=news["nodes"], members=news["members"], pools=news["pools"])
        found = self.kept.decide(changes, self.now)
        fresh = membership.decide(self.pools, self.nodes, self.members, self.now)
        assert found == fresh
        for name, findings in found.findings.items():
            ours = {each: member for each, member in self.members.items() if member.pool == name}
            assert findings.members == ours
            assert findings.cores == sum(_cores(member) for member in ours.values())
            for listed in (findings.members, findings.conflicts, findings.pending, findings.undetected):
                assert list(listed) == sorted(listed), "messages name the first few"


def _cores(member: pools.Member) -> int:
    return 0 if member.view.hardware is None else member.view.hardware.cores


def _node(draw: Drawn, cluster: Cluster) -> None:
    labels = {"neuron": draw.draw(strategies.sampled_from(["yes", "no"])), "kind": draw.draw(_KINDS)}
    node = pool_views.node(name := draw.draw(_NAMES), **labels)
    cluster.put("nodes", name, dataclasses.replace(node, deleted=draw.draw(_SELDOM)))


def _member(draw: Drawn, cluster: Cluster) -> None:
    name, of = draw.draw(_NAMES), draw.draw(strategies.sampled_from([*POOLS, ""]))
    entries = draw.draw(strategies.lists(_entries(cluster.now), max_size=2, unique_by=lambda grant: grant.pod))
    held = [builders.held("16-17")] if draw.draw(_SELDOM) else []
    kind = draw.draw(strategies.sampled_from(TYPES))
    made = pool_views.member(name, of=of, entries=tuple(entries), held=held, instance_type=kind)
    if draw.draw(_SELDOM):
        given, found = (draw.draw(strategies.sampled_from([*TYPES, ""])) for _ in range(2))
        made = pool_views.asked(name, of=of, given=given, found=found, entries=tuple(entries) if given else ())
    view = dataclasses.replace(made.view, deleted=draw.draw(_SELDOM), owned=draw.draw(_SELDOM))
    if draw.draw(_SELDOM):
        view = dataclasses.replace(view, ledger=None, hardware=None, problem="it makes no sense")
    cluster.put("members", name, dataclasses.replace(made, view=view))


def _entries(now: dt.datetime) -> strategies.SearchStrategy[grants.Grant]:
    """Grants of two pods, most of them released a while ago."""
    ages, states = strategies.integers(0, 400), strategies.sampled_from([grants.GrantState.RELEASING] * 3 + [None])

    def made(place: tuple[str, str], age: int, state: "grants.GrantState | None") -> grants.Grant:
        since = (now - dt.timedelta(seconds=age)).isoformat()
        return domain.grant(*place, since=since, **({} if state is None else {"state": state}))

    return strategies.builds(made, strategies.sampled_from([("0-3", "web"), ("8-9", "train")]), ages, states)


def _pool(draw: Drawn, cluster: Cluster) -> None:
    selector: Mapping[str, str] = draw.draw(strategies.sampled_from([{"neuron": "yes"}, {"kind": "x"}, {"kind": "y"}]))
    kind = draw.draw(strategies.sampled_from([*TYPES, "p5.48xlarge", "detect"]))
    policy = {"quarantineSeconds": draw.draw(strategies.sampled_from([0, 60, 300]))}
    name, deleted = draw.draw(_POOLS), draw.draw(_SELDOM)
    made = pool_views.pool(name, deleted=deleted, nodeSelector=selector, hardware={"instanceType": kind}, policy=policy)
    cluster.put("pools", name, made)


def _status(draw: Drawn, cluster: Cluster) -> None:
    pool = cluster.pools.get(name := draw.draw(_POOLS))
    if pool is not None:
        cluster.put("pools", name, dataclasses.replace(pool, resource_version="8", status={"nodes": 1}))


def _gone(draw: Drawn, cluster: Cluster) -> None:
    kind = draw.draw(strategies.sampled_from(["nodes", "nodes", "members", "pools"]))
    cluster.put(kind, draw.draw(_POOLS if kind == "pools" else _NAMES), None)


def _time(draw: Drawn, cluster: Cluster) -> None:
    cluster.now += dt.timedelta(seconds=draw.draw(strategies.sampled_from([1, 30, 60, 300, -120])))


_NAMES, _POOLS = strategies.sampled_from(NAMES), strategies.sampled_from(POOLS)
_KINDS = strategies.sampled_from(["x", "y", "z"])
_SELDOM = strategies.integers(0, 5).map(lambda number: number == 0)
_STEPS: Final[tuple[Callable[[Drawn, Cluster], None], ...]] = (
    _node, _node, _node, _member, _member, _member, _pool, _status, _gone, _time,
)  # fmt: skip


@hypothesis.given(strategies.data(), strategies.lists(strategies.booleans(), max_size=25))
@hypothesis.settings(max_examples=250)
def test_kept_membership_says_what_deciding_everything_anew_would(draw: Drawn, looks: list[bool]) -> None:
    cluster = Cluster()
    for make in (_pool, _pool, _node, _node, _node, _member, _member):
        make(draw, cluster)
    cluster.compare()
    for looks_now in looks:
        draw.draw(strategies.sampled_from(_STEPS))(draw, cluster)
        if looks_now:
            cluster.compare()
    cluster.compare()
