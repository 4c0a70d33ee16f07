"""A ledger under any sequence of changes, legal or not, beside a model that owns cores one by one."""

import dataclasses
import json
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from kits.manifests import domain
from neuronspan import errors, grants, ledger, names, spans

CORES = 16
GRANTED, CONFIRMED, RELEASING = grants.GrantState.GRANTED, grants.GrantState.CONFIRMED, grants.GrantState.RELEASING
PODS = st.sampled_from(["a", "b", "c", "d"])
CONTAINERS = st.sampled_from(["app", "side"])
SPANS = st.builds(spans.CoreSpan, st.integers(0, CORES), st.integers(1, 6))
RESOURCES = st.sampled_from(names.RESOURCES)
STATES = st.sampled_from(grants.GrantState)


def entries(state: st.SearchStrategy[grants.GrantState]) -> st.SearchStrategy[grants.Grant]:
    return st.builds(
        lambda pod, container, span, resource, state: domain.grant(
            str(span), pod=pod, container=container, resource=resource, state=state
        ),
        PODS,
        CONTAINERS,
        SPANS,
        RESOURCES,
        state,
    )


class LedgerMachine(RuleBasedStateMachine):
    """Each rule makes the same change in the ledger and in the model; both must accept or refuse it."""

    known = Bundle("known")

    def __init__(self) -> None:
        super().__init__()
        self.book = ledger.Ledger(CORES)
        self.model: dict[grants.Key, grants.Grant] = {}

    def refused(self, grant: grants.Grant) -> type[errors.LedgerError] | None:
        """Return the error that entering this grant must raise, by looking at each core."""
        if any(core >= CORES for core in grant.span):
            return errors.SpanOutOfRange
        if any(core in other.span for other in self.model.values() for core in grant.span):
            return errors.SpanOverlap
        return errors.DuplicateGrant if grant.key in self.model else None

    @rule(target=known, grant=entries(st.just(GRANTED)))
    def add(self, grant: grants.Grant) -> grants.Key:
        return self.enter(grant, self.book.add)

    @rule(target=known, grant=entries(st.sampled_from([CONFIRMED, RELEASING])))
    def adopt(self, grant: grants.Grant) -> grants.Key:
        return self.enter(grant, self.book.adopt)

    def enter(self, grant: grants.Grant, change: Callable[[grants.Grant], ledger.Ledger]) -> grants.Key:
        error = self.refused(grant)
        if error is None:
            self.book = change(grant)
            self.model[grant.key] = grant
        else:
            with pytest.raises(error):
                change(grant)
        return grant.key

    @rule(key=known, target_state=st.sampled_from([CONFIRMED, RELEASING]))
    def move(self, key: grants.Key, target_state: grants.GrantState) -> None:
        change = self.book.confirm if target_state is CONFIRMED else self.book.release
        held = self.model.get(key)
        if held is None:
            with pytest.raises(errors.UnknownGrant):
                change(key, domain.LATER)
        elif held.state is GRANTED or (held.state is CONFIRMED and target_state is RELEASING):
            self.book = change(key, domain.LATER)
            self.model[key] = dataclasses.replace(held, state=target_state, since=domain.LATER)
        else:
            with pytest.raises(errors.IllegalTransition):
                change(key, domain.LATER)

    @rule(key=consumes(known))
    def forget(self, key: grants.Key) -> None:
        held = self.model.get(key)
        if held is None:
            with pytest.raises(errors.UnknownGrant):
                self.book.forget(key)
        elif held.state is not RELEASING:
            with pytest.raises(errors.IllegalTransition):
                self.book.forget(key)
        else:
            self.book = self.book.forget(key)
            del self.model[key]

    @rule(keys=st.lists(known, min_size=1, max_size=4, unique=True), chance=st.randoms(use_true_random=False))
    def exchange(self, keys: list[grants.Key], chance: random.Random) -> None:
        """Hand the spans of these grants round: legal when each gets as many cores as it had."""
        unknown = [key for key in keys if key not in self.model]
        if unknown:
            with pytest.raises(errors.UnknownGrant):
                self.book.moved({unknown[0]: spans.CoreSpan(0, 1)})
            return
        taken = [self.model[key].span for key in keys]
        chance.shuffle(taken)
        self.move_to(dict(zip(keys, taken, strict=True)))

    @rule(wanted=st.dictionaries(known, SPANS, min_size=1, max_size=3))
    def move_anywhere(self, wanted: dict[grants.Key, spans.CoreSpan]) -> None:
        if wanted.keys() <= self.model.keys():
            self.move_to(wanted)

    def move_to(self, targets: dict[grants.Key, spans.CoreSpan]) -> None:
        after = {
            key: dataclasses.replace(grant, span=targets.get(key, grant.span)) for key, grant in self.model.items()
        }
        owned = [core for grant in after.values() for core in grant.span]
        sizes_stay = all(self.model[key].span.count == span.count for key, span in targets.items())
        if sizes_stay and len(owned) == len(set(owned)) and all(core < CORES for core in owned):
            self.book = self.book.moved(targets)
            self.model = after
            return
        with pytest.raises(errors.LedgerError):
            self.book.moved(targets)

    @invariant()
    def no_core_has_two_owners_or_does_not_exist(self) -> None:
        owned = [core for grant in self.book.grants for core in grant.span]
        assert len(owned) == len(set(owned))
        assert set(owned) <= set(range(CORES))

    @invariant()
    def ledger_and_model_agree(self) -> None:
        assert {grant.key: grant for grant in self.book.grants} == self.model
        for key, grant in self.model.items():
            assert self.book.get(key) == self.book.find(grant.span) == grant
            assert grant in self.book.of_pod(grant.pod_uid)

    @invariant()
    def free_and_granted_cores_are_all_cores(self) -> None:
        free = [core for run in self.book.free_runs() for core in run]
        assert len(free) == self.book.free_cores == CORES - self.book.granted_cores
        assert 0.0 <= self.book.fragmentation() < 1.0
        assert self.book.largest_free_run() <= len(free)

    @invariant()
    def ledger_survives_storage(self) -> None:
        stored = json.loads(json.dumps(self.book.to_list()))
        assert ledger.Ledger.from_list(CORES, stored) == self.book


TestLedgerUnderAnyChanges = LedgerMachine.TestCase
TestLedgerUnderAnyChanges.settings = settings(max_examples=50, stateful_step_count=30)


@given(st.lists(entries(STATES), max_size=6))
def test_ledger_is_made_exactly_when_its_grants_go_together(wanted: list[grants.Grant]) -> None:
    owned = [core for grant in wanted for core in grant.span]
    fine = (
        len(owned) == len(set(owned))
        and all(core < CORES for core in owned)
        and len({grant.key for grant in wanted}) == len(wanted)
    )
    makers: list[Callable[[], ledger.Ledger]] = [
        lambda: ledger.Ledger(CORES, tuple(wanted)),
        lambda: ledger.Ledger.from_list(CORES, [grant.to_dict() for grant in wanted]),
        lambda: dataclasses.replace(ledger.Ledger(CORES), grants=tuple(wanted)),
    ]
    for make in makers:
        try:
            made = make()
        except errors.LedgerError:
            assert not fine
            continue
        assert fine
        assert sorted(grant.key for grant in made.grants) == sorted(grant.key for grant in wanted)


@given(st.lists(SPANS, max_size=6))
def test_ledger_fragmentation_is_the_share_outside_the_longest_run(taken: list[spans.CoreSpan]) -> None:
    book = ledger.Ledger(CORES)
    for number, span in enumerate(taken):
        try:
            book = book.add(domain.grant(str(span), pod=f"p{number}"))
        except errors.LedgerError:
            continue
    free = set(range(CORES)) - {core for grant in book.grants for core in grant.span}
    longest = max((run.count for run in book.free_runs()), default=0)
    assert book.fragmentation() == (1 - longest / len(free) if free else 0.0)
