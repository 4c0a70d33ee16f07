"""The grants of one node, as one value.

Law: however a Ledger is made, its grants lie inside the node, share no core, and are one per container. A change gives
a new Ledger or raises a LedgerError; it never gives a half-changed one.
"""

import dataclasses
import itertools
import operator
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self

from neuronspan import errors, spans
from neuronspan import grants as granting  # the ledger's field has the plain name

_ORDER: Final = operator.attrgetter("span.first", "span.count", "pod_uid", "container")


@dataclasses.dataclass(frozen=True, slots=True)
class Ledger:
    """The grants of a node with ``cores`` NeuronCores, kept in the order of their first core.

    Raises LedgerError when there are no cores, SpanOutOfRange, SpanOverlap or DuplicateGrant.
    """

    cores: int
    grants: tuple[granting.Grant, ...] = ()

    def __post_init__(self) -> None:
        if type(self.cores) is not int or self.cores < 1:
            raise errors.LedgerError(f"a ledger of {self.cores!r} cores: give the node's number of cores, at least 1")
        ordered = tuple(sorted(self.grants, key=_ORDER))
        object.__setattr__(self, "grants", ordered)  # the dataclass is frozen for everyone else
        self._refuse_flaws()

    # --- changes: each gives a new ledger ------------------------------------------------------------------------

    def add(self, grant: granting.Grant) -> Self:
        """Enter a new grant, in state Granted; raises LedgerError."""
        return self._entered(grant, frozenset({granting.GrantState.GRANTED}), "adopt it, its cores are already in use")

    def adopt(self, grant: granting.Grant) -> Self:
        """Enter a grant for cores that a container already holds, so never in state Granted; raises LedgerError."""
        in_use = frozenset({granting.GrantState.CONFIRMED, granting.GrantState.RELEASING})
        return self._entered(grant, in_use, "add it, nobody holds its cores yet")

    def confirm(self, key: granting.Key, since: str) -> Self:
        """Note that the node says the container holds its cores; raises UnknownGrant, IllegalTransition."""
        return self._in_state(key, granting.GrantState.CONFIRMED, since)

    def release(self, key: granting.Key, since: str) -> Self:
        """Note that the pod is over; its cores stay taken until ``forget``. Raises UnknownGrant, IllegalTransition."""
        return self._in_state(key, granting.GrantState.RELEASING, since)

    def forget(self, key: granting.Key) -> Self:
        """Free the cores of a Releasing grant; raises UnknownGrant, IllegalTransition for one in use."""
        grant = self.get(key)
        if grant.state is not granting.GrantState.RELEASING:
            raise errors.IllegalTransition(f"grant {grant} is {grant.state} and cannot be forgotten: release it first")
        return self._with(other for other in self.grants if other.key != key)

    def moved(self, targets: Mapping[granting.Key, spans.CoreSpan]) -> Self:
        """Let these grants have other cores, all at once, as many as before: kubelet may have exchanged them.

        Raises UnknownGrant, IllegalTransition when a target has another number of cores, and LedgerError when the
        grants do not go together then.
        """
        for key, span in targets.items():
            grant = self.get(key)
            if grant.span.count != span.count:
                raise errors.IllegalTransition(
                    f"grant {grant} cannot move to cores {span}: it has {grant.span.count} cores, and only a grant for "
                    f"{span.count} could"
                )
        return self._with(dataclasses.replace(grant, span=targets.get(grant.key, grant.span)) for grant in self.grants)

    # --- questions -----------------------------------------------------------------------------------------------

    def __contains__(self, key: object) -> bool:
        return any(grant.key == key for grant in self.grants)

    def get(self, key: granting.Key) -> granting.Grant:
        """Return the grant of a container; raises UnknownGrant (ask ``key in ledger`` first when unsure)."""
        for grant in self.grants:
            if grant.key == key:
                return grant
        raise errors.UnknownGrant(f"no grant for container {key[1]} of pod {key[0]}: add it first")

    def find(self, span: spans.CoreSpan) -> granting.Grant | None:
        """Return the grant of exactly this span, if any."""
        return next((grant for grant in self.grants if grant.span == span), None)

    def of_pod(self, uid: str) -> tuple[granting.Grant, ...]:
        """Return the grants of one pod, by first core."""
        return tuple(grant for grant in self.grants if grant.pod_uid == uid)

    def taken(self) -> tuple[spans.CoreSpan, ...]:
        """Return the granted spans, ascending; Releasing ones too."""
        return tuple(grant.span for grant in self.grants)

    def free_runs(self) -> tuple[spans.CoreSpan, ...]:
        """Return the maximal runs of free cores, ascending."""
        return spans.free_runs(self.cores, self.taken())

    def largest_free_run(self) -> int:
        """Return the number of cores of the longest free run, 0 when the node is full."""
        return max((run.count for run in self.free_runs()), default=0)

    @property
    def granted_cores(self) -> int:
        """The number of cores that are granted."""
        return sum(grant.span.count for grant in self.grants)

    @property
    def free_cores(self) -> int:
        """The number of cores that are not granted."""
        return self.cores - self.granted_cores

    def fragmentation(self) -> float:
        """Return the share of free cores outside the longest free run: 0.0 when all free cores are one run, or none."""
        free = self.free_cores
        return 1 - self.largest_free_run() / free if free else 0.0

    # --- storage -------------------------------------------------------------------------------------------------

    def to_list(self) -> list[dict[str, Any]]:
        """Return the form stored in NeuronNode.spec.grants."""
        return [grant.to_dict() for grant in self.grants]

    @classmethod
    def from_list(cls, cores: int, raw: Iterable[Mapping[str, Any]]) -> Self:
        """Read the form of ``to_list``; raises InvalidGrant or LedgerError."""
        return cls(cores, tuple(granting.Grant.from_dict(each) for each in raw))

    # --- inside --------------------------------------------------------------------------------------------------

    def _entered(self, grant: granting.Grant, allowed: frozenset[granting.GrantState], way_out: str) -> Self:
        if grant.state not in allowed:
            raise errors.IllegalTransition(f"grant {grant} is {grant.state} and cannot be entered so: {way_out}")
        return self._with((*self.grants, grant))

    def _in_state(self, key: granting.Key, state: granting.GrantState, since: str) -> Self:
        moved = self.get(key).moved_to(state, since)
        return self._with(moved if grant.key == key else grant for grant in self.grants)

    def _with(self, changed: Iterable[granting.Grant]) -> Self:
        return type(self)(self.cores, tuple(changed))

    def _refuse_flaws(self) -> None:
        """Refuse grants past the last core, two with a core in common, and two of one container."""
        seen: set[granting.Key] = set()
        end = 0
        for grant in self.grants:  # by first core: only neighbours can overlap
            key = grant.key
            if grant.span.first < end or grant.span.end > self.cores or key in seen:
                raise self._flaw()
            seen.add(key)
            end = grant.span.end

    def _flaw(self) -> errors.LedgerError:
        """Return what is wrong: cores that do not exist before cores in common before a second grant."""
        for grant in self.grants:
            if grant.span.end > self.cores:
                return errors.SpanOutOfRange(
                    f"grant {grant} reaches past the node's last core {self.cores - 1}: choose cores 0-{self.cores - 1}"
                )
        for before, after in itertools.pairwise(self.grants):
            if before.span.overlaps(after.span):
                return errors.SpanOverlap(
                    f"grants {before} and {after} share a core: choose free cores for one of them"
                )
        first, second = next(
            (one, other) for one, other in itertools.combinations(self.grants, 2) if one.key == other.key
        )
        return errors.DuplicateGrant(
            f"container {first.container} of pod {first.pod_uid} has two grants, {first.span} and {second.span}: "
            "keep one"
        )
