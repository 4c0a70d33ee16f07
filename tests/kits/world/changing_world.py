"""A cluster in which anything changes: what the planner knows of it, and each change as the planner is told of it.

Law: only what planning reads. Nothing here is likely; it is what makes kept answers go stale.
"""

import dataclasses
import datetime as dt
import random
from collections.abc import Callable
from typing import Any, Final

from kits.manifests import builders, clusters, domain, snapshots, volumes
from neuronspan import errors, grants, ledger, names
from neuronspan_operator.objects import neuron_nodes, nodes, pod_changes, pods, pools
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.planning import facts, plans

CORES: Final = 12
_POOLS: Final = "a", "b"
_ZONES: Final = "a", "b", ""
_APPS: Final = "web", "db"
_KEYS: Final = "zone", names.HOSTNAME_LABEL
_SIZES: Final = 1, 2, 3, 6, 12, 13
_SOFT: Final = {"key": "dedicated", "value": "ml", "effect": "PreferNoSchedule"}
_HARD: Final = {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}
_HOMES: Final = "default", "team"


class ChangingWorld:
    """Everything that is drawn comes from ``seed``."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.now = snapshots.NOW
        self._made = 0

    def first(self) -> facts.Changes:
        """Return a cluster to begin with."""
        hosts = [f"w{number}" for number in range(self._draw.randint(1, 5))]
        made = [self._pod() for _ in range(self._draw.randint(0, 8))]
        return facts.Changes(
            nodes={name: self._node(name) for name in hosts},
            members={name: self._member(name, {}) for name in hosts},
            pools={name: self._pool(name) for name in _POOLS},
            pods={pod.uid: pod for pod in made},
            namespaces={name: {"kind": "prod"} for name in _HOMES},
            storage=self._storage(),
        )

    def change(self, known: plans.Snapshot, plan: plans.Plan) -> facts.Changes:
        """Return what happens next; ``plan`` is the last one, which may be carried out, or half of it."""
        self.now += dt.timedelta(seconds=self._draw.choice((0, 0.01, 1, 30)))
        happenings: list[Callable[[plans.Snapshot, plans.Plan], facts.Changes]] = [
            *[self._create, self._carry_out] * 3,
            *[self._replace_pod, self._delete_pod, self._change_node, self._report] * 2,
            self._delete_node,
            self._change_pool,
            self._change_namespace,
            self._change_storage,
            self._avoid,
            self._hold_back,
            self._learn,
        ]
        return self._draw.choice(happenings)(known, plan)

    # --- objects -------------------------------------------------------------------------------------------------

    def _pod(self, **fields: Any) -> pods.PodView:
        draw = self._draw
        name = f"p{self._made}"
        self._made += 1
        group = draw.choice(({}, {}, {}, {names.POD_GROUP_ANNOTATION: "g", names.POD_GROUP_SIZE_ANNOTATION: "2"}))
        asked = {} if draw.random() < 0.2 else {"cores": draw.choice(_SIZES)}  # noqa: PLR2004 - one in five asks for none
        kind: dict[str, Any] = draw.choice(({}, {}, {}, builders.GUEST))
        placed = {"node": draw.choice(("w0", "w1", "w9"))} if not asked or draw.random() < 0.1 else {}  # noqa: PLR2004
        manifest = builders.make_pod(
            name,
            **asked,
            **(kind if asked and not placed else {}),
            **placed,
            namespace=draw.choice(_HOMES),
            annotations=group if asked else {},
            priority=draw.choice((0, 0, 5)),
            affinity=draw.choice((None, None, self._affinity())),
            selector=draw.choice(({}, {}, {}, {"zone": "a"})),
            tolerations=draw.choice(([], [], [{"operator": "Exists"}])),
            owner=draw.choice(("", "rs")),
            **fields,
        )
        manifest["metadata"]["labels"] = {"app": draw.choice(_APPS), "own": name}
        if draw.random() < 0.15:  # noqa: PLR2004 - some
            manifest["spec"]["topologySpreadConstraints"] = [clusters.spread(draw.choice(_KEYS), {"app": "web"})]
        if draw.random() < 0.1:  # noqa: PLR2004 - some
            manifest["spec"]["containers"][0]["ports"] = [{"containerPort": 1, "hostPort": 80}]
        if draw.random() < 0.15:  # noqa: PLR2004 - some
            claim = {"claimName": draw.choice(("data", "logs"))}
            manifest["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": claim}]
        return pods.read(manifest)

    def _affinity(self) -> dict[str, Any]:
        draw = self._draw
        term = clusters.term(draw.choice(_KEYS), {"app": draw.choice(_APPS)})
        if draw.random() < 0.3:  # noqa: PLR2004 - some
            term["namespaceSelector"] = {"matchLabels": {"kind": "prod"}}
        return draw.choice(
            (
                clusters.affinity(far=[term]),
                clusters.affinity(near=[term]),
                clusters.affinity(liked={5: term}),
                clusters.affinity(disliked={5: term}),
            )
        )

    def _node(self, name: str) -> nodes.NodeView:
        draw = self._draw
        zone = draw.choice(_ZONES)
        return nodes.read(
            builders.make_node(
                name,
                cores=CORES,
                devices=CORES // 2,
                cpu=draw.choice(("64", "2")),
                labels={names.HOSTNAME_LABEL: name} | ({"zone": zone} if zone else {}),
                taints=draw.choice(([], [], [], [_SOFT], [_HARD])),
                cordoned=draw.random() < 0.1,  # noqa: PLR2004 - one in ten
                ready=draw.random() < 0.9,  # noqa: PLR2004 - nine in ten
            )
        )

    def _member(self, name: str, known: "plans.Mapping[str, pods.PodView]") -> pools.Member:
        """Return a NeuronNode with a ledger and a report of its own, about pods that exist and others."""
        draw = self._draw
        book, held = ledger.Ledger(CORES), []
        candidates = [*sorted(known), "uid-old"]
        for _ in range(draw.randint(0, 4)):
            first, uid = draw.randrange(CORES), draw.choice(candidates)
            count = draw.choice([size for size in _SIZES if first + size <= CORES] or [1])
            cores, pod = f"{first}-{first + count - 1}", uid.removeprefix("uid-")
            try:
                since = snapshots.ago(draw.choice((1, 100)))
                book = ledger.Ledger(
                    CORES,
                    (*book.grants, domain.grant(cores, pod, state=draw.choice(list(grants.GrantState)), since=since)),
                )
            except errors.LedgerError:
                continue
            if draw.random() < 0.4:  # noqa: PLR2004 - some
                held.append(builders.held(cores, pod, uid=draw.choice((None, ""))))
        manifest = builders.make_neuron_node(
            name,
            book.grants,
            instance_type=builders.SMALL,
            held=held,
            released=draw.sample(candidates, draw.randint(0, 1)),
            unhealthy=draw.sample(range(CORES), draw.choice((0, 0, 1))),
            registered=draw.random() < 0.9,  # noqa: PLR2004 - nine in ten
            version=str(draw.randrange(10**6)),
        )
        if draw.random() < 0.05:  # noqa: PLR2004 - one in twenty
            manifest["spec"]["hardware"] = {}
        return pools.Member(neuron_nodes.read(manifest), draw.choice(_POOLS))

    def _pool(self, name: str) -> pools.PoolView:
        draw = self._draw
        packing = draw.choice(list(pools.placement.Packing))
        return pools.PoolView(name, policy=pools.Policy(packing=packing), deleted=draw.random() < 0.1)  # noqa: PLR2004

    def _storage(self) -> storage.Storage:
        draw = self._draw
        claims = [
            volumes.make_claim("data", of_class=draw.choice(("slow", "fast", "at-once"))),
            volumes.make_claim("logs", volume="pv-1", bound=True, phase="Bound"),
        ]
        made = [volumes.make_volume("pv-1")] if draw.random() < 0.7 else []  # noqa: PLR2004 - most of the time
        return volumes.stored(claims[: draw.randint(0, 2)], made)

    # --- what may happen -----------------------------------------------------------------------------------------

    def _create(self, _known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        made = [self._pod() for _ in range(self._draw.randint(1, 3))]
        return facts.Changes(pods={pod.uid: pod for pod in made})

    def _carry_out(self, known: plans.Snapshot, plan: plans.Plan) -> facts.Changes:
        """Store all or some of the ledgers, and then bind and mark all or some of the pods."""
        members: dict[str, pools.Member | None] = {}
        for write in plan.ledgers:
            if self._draw.random() < 0.8:  # noqa: PLR2004 - the others are refused
                view = known.neuron_nodes[write.node]
                version = str(self._draw.randrange(10**6))
                stored = dataclasses.replace(view, ledger=write.ledger, resource_version=version)
                members[write.node] = pools.Member(stored, _POOLS[0])
        changed: dict[str, pods.PodView | None] = {}
        refused = {write.node for write in plan.ledgers} - members.keys()
        for bind in plan.bindings:
            if bind.node not in refused and self._draw.random() < 0.8:  # noqa: PLR2004 - the others fail
                text = pod_changes.grant_text(bind.node, bind.spans)
                changed[bind.pod.uid] = dataclasses.replace(bind.pod, node_name=bind.node, grant_annotation=text)
        for ungate in plan.ungates:
            if ungate.node not in refused:
                text = pod_changes.grant_text(ungate.node, ungate.spans)
                changed[ungate.pod.uid] = dataclasses.replace(ungate.pod, gate_index=-1, grant_annotation=text)
        for patch in plan.patches:
            fence = patch.patch.get("status", {}).get("conditions", [{}])[0].get("message", "")
            if fence and patch.pod.uid in known.pods:
                changed[patch.pod.uid] = dataclasses.replace(patch.pod, fenced_until=fence)
        return facts.Changes(members=members, pods=changed)

    def _some(self, known: plans.Snapshot) -> list[pods.PodView]:
        """Return up to two pods."""
        found = sorted(known.pods)
        return [known.pods[uid] for uid in self._draw.sample(found, min(len(found), self._draw.randint(1, 2)))]

    def _replace_pod(self, known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        draw = self._draw
        changed = {}
        for pod in self._some(known):
            unscheduled = pods.Unscheduled("Unschedulable", "0/1 nodes") if draw.random() < 0.3 else None  # noqa: PLR2004
            changed[pod.uid] = dataclasses.replace(
                pod,
                resource_version=str(draw.randrange(10**6)),
                labels={**pod.labels, "app": draw.choice(_APPS)},
                phase=draw.choice((pod.phase, pod.phase, "Running", "Failed")),
                deleted=pod.deleted or draw.random() < 0.2,  # noqa: PLR2004 - one in five
                unscheduled=unscheduled,
            )
        return facts.Changes(pods=changed)

    def _delete_pod(self, known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        found = self._some(known)
        certain = self._draw.random() < 0.7  # noqa: PLR2004 - or else the cache only lacks it
        return facts.Changes(
            pods={pod.uid: None for pod in found}, gone={pod.uid: True for pod in found} if certain else {}
        )

    def _change_node(self, known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        name = self._draw.choice([*sorted(known.nodes), f"w{self._draw.randrange(6)}"])
        return facts.Changes(nodes={name: self._node(name)})

    def _delete_node(self, known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        name = self._draw.choice([*sorted(known.nodes), "w0"])
        both = self._draw.random() < 0.5  # noqa: PLR2004 - or else its NeuronNode stays
        return facts.Changes(nodes={name: None}, members={name: None} if both else {})

    def _report(self, known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        name = self._draw.choice([*sorted(known.nodes), "w0"])
        return facts.Changes(members={name: self._member(name, known.pods)})

    def _change_pool(self, _known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        name = self._draw.choice(_POOLS)
        return facts.Changes(pools={name: self._draw.choice((None, self._pool(name)))})

    def _change_namespace(self, _known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        labels = self._draw.choice((None, {"kind": "prod"}, {"kind": "test"}))
        return facts.Changes(namespaces={self._draw.choice(_HOMES): labels})

    def _change_storage(self, _known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        return facts.Changes(storage=self._storage())

    def _avoid(self, known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        where = frozenset(self._draw.sample(["w0", "w1"], self._draw.randint(0, 2)))
        return facts.Changes(avoided={pod.uid: where for pod in self._some(known)})

    def _hold_back(self, known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        granted = {grant.pod_uid for view in known.neuron_nodes.values() if view.ledger for grant in view.ledger.grants}
        held = {pod.uid: True for pod in self._some(known) if pod.waits and pod.uid not in granted}
        return facts.Changes(held_back=held or {f"uid-p{self._draw.randrange(self._made + 1)}": False})

    def _learn(self, known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        """Learn that a pod that ledgers mention is gone, or that it is not."""
        return facts.Changes(gone={"uid-old": self._draw.random() < 0.5})  # noqa: PLR2004 - one way or the other
