"""Random objects of a cluster, as the planner reads them.

Law: nothing here is likely; it is what makes kept answers go stale.
"""

import random
from collections.abc import Mapping
from typing import Any, Final

from kits.manifests import builders, clusters, domain, snapshots, volumes
from neuronspan import errors, grants, ledger, names, placement
from neuronspan_operator.objects import budgets, neuron_nodes, nodes, pod_conditions, pods, pools
from neuronspan_operator.objects.constraints import storage

CORES: Final = 12
POOLS: Final = "a", "b"
APPS: Final = "web", "db"
HOMES: Final = "default", "team"
REFUSED: Final = pod_conditions.Unscheduled("Unschedulable", "0/1 nodes")
_ZONES: Final = "a", "b", ""
_SHARED: Final = "host"
"""A host name that any node may have, and several at a time."""
_KEYS: Final = "zone", names.HOSTNAME_LABEL
_SIZES: Final = 1, 2, 3, 6, 12, 13
_SOFT: Final = {"key": "dedicated", "value": "ml", "effect": "PreferNoSchedule"}
_HARD: Final = {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}


class Objects:
    """Makes objects; ``made`` counts the pods."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self.made = 0

    def make_pod(self, **fields: Any) -> pods.PodView:
        """A pod of any kind."""
        draw = self._draw
        name = f"p{self.made}"
        self.made += 1
        asked: dict[str, Any] = {} if draw.random() < 0.2 else self._asked()
        kind: dict[str, Any] = draw.choice(({}, {}, {}, dict(builders.GUEST)))
        placed: dict[str, Any] = {"node": draw.choice(("w0", "w1", "w9"))} if not asked or draw.random() < 0.1 else {}
        manifest = builders.make_pod(
            name,
            **asked,
            **(kind if asked and not placed else {}),
            **placed,
            namespace=draw.choice(HOMES),
            annotations=self._notes() if asked else {},
            priority=draw.choice((0, 0, 5)),
            affinity=draw.choice((None, None, self._affinity())),
            selector=draw.choice(({}, {}, {}, {"zone": "a"})),
            tolerations=draw.choice(([], [], [{"operator": "Exists"}])),
            owner=draw.choice(("", "rs")),
            **fields,
        )
        manifest["metadata"]["labels"] = {"app": draw.choice(APPS), "own": name}
        if draw.random() < 0.15:
            manifest["spec"]["topologySpreadConstraints"] = [clusters.spread(draw.choice(_KEYS), {"app": "web"})]
        if draw.random() < 0.1:
            manifest["spec"]["containers"][0]["ports"] = [{"containerPort": 1, "hostPort": 80}]
        if draw.random() < 0.15:
            claim = {"claimName": draw.choice(("data", "logs"))}
            manifest["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": claim}]
        return pods.read(manifest)

    def _asked(self) -> dict[str, Any]:
        draw = self._draw
        return {"devices": draw.choice((1, 2))} if draw.random() < 0.1 else {"cores": draw.choice(_SIZES)}

    def _notes(self) -> dict[str, str]:
        """Return annotations of a pod: whether it is in a group, and where its cores may be."""
        draw = self._draw
        size = draw.choice(("2", "2", "3"))
        notes = draw.choice(({}, {}, {}, {names.POD_GROUP_ANNOTATION: "g", names.POD_GROUP_SIZE_ANNOTATION: size}))
        return notes | draw.choice(({}, {}, {names.ALIGN_ANNOTATION: draw.choice(list(placement.Alignment)).value}))

    def _affinity(self) -> dict[str, Any]:
        draw = self._draw
        term = clusters.term(draw.choice(_KEYS), {"app": draw.choice(APPS)})
        if draw.random() < 0.3:
            term["namespaceSelector"] = {"matchLabels": {"kind": "prod"}}
        return draw.choice(
            (
                clusters.affinity(far=[term]),
                clusters.affinity(near=[term]),
                clusters.affinity(liked={5: term}),
                clusters.affinity(disliked={5: term}),
            )
        )

    def make_node(self, name: str) -> nodes.NodeView:
        """A node in any state."""
        draw = self._draw
        zone = draw.choice(_ZONES)
        return nodes.read(
            builders.make_node(
                name,
                cores=CORES,
                devices=CORES // 2,
                cpu=draw.choice(("64", "2")),
                labels={names.HOSTNAME_LABEL: draw.choice((name, name, _SHARED))} | ({"zone": zone} if zone else {}),
                taints=draw.choice(([], [], [], [_SOFT], [_HARD])),
                cordoned=draw.random() < 0.1,
                ready=draw.random() < 0.9,
            )
        )

    def make_member(self, name: str, known: Mapping[str, pods.PodView]) -> pools.Member:
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
            if draw.random() < 0.4:
                held.append(builders.held(cores, pod, uid=draw.choice((None, ""))))
        manifest = builders.make_neuron_node(
            name,
            book.grants,
            instance_type=builders.SMALL,
            held=held,
            released=draw.sample(candidates, draw.randint(0, 1)),
            unhealthy=draw.sample(range(CORES), draw.choice((0, 0, 1))),
            registered=draw.random() < 0.9,
            version=str(draw.randrange(10**6)),
        )
        if draw.random() < 0.05:
            manifest["spec"]["hardware"] = {}
        return pools.Member(neuron_nodes.read(manifest), draw.choice(POOLS))

    def make_pool(self, name: str) -> pools.PoolView:
        """A pool with any policy."""
        draw = self._draw
        policy = pools.Policy(
            packing=draw.choice(list(placement.Packing)),
            rules=placement.Rules(align=draw.choice(list(placement.Alignment))),
            limbo_seconds=draw.choice((10.0, 60.0)),
            preferences=draw.choice(list(placement.Preferences)),
        )
        return pools.PoolView(name, policy=policy, deleted=draw.random() < 0.1)

    def make_storage(self) -> storage.Storage:
        """Claims and a volume, or some of them."""
        draw = self._draw
        claims = [
            volumes.make_claim("data", of_class=draw.choice(("slow", "fast", "at-once"))),
            volumes.make_claim("logs", volume="pv-1", bound=True, phase="Bound"),
        ]
        made = [volumes.make_volume("pv-1")] if draw.random() < 0.7 else []
        return volumes.stored(claims[: draw.randint(0, 2)], made)

    def make_budget(self) -> budgets.Budget:
        """A budget that allows up to three ends."""
        manifest = {
            "metadata": {"namespace": "default", "name": "web"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}},
            "status": {"disruptionsAllowed": self._draw.randint(0, 3)},
        }
        return budgets.read(manifest)
