"""The node's memory: what it counts, what it forgets, what it refuses; the decisions have tests of their own."""

import pytest

from kits.kubelet import lock_table, node_parts
from kits.manifests import domain
from neuronspan import grants, instance_types, names
from neuronspan_agent import signals
from neuronspan_deviceplugin import errors, metrics, reasons
from neuronspan_deviceplugin.allocation import holdings, pod_devices, resource_manager
from neuronspan_deviceplugin.host import cdi

HARDWARE = instance_types.hardware_of("inf2.24xlarge")  # 12 cores on 6 devices
CORES, DEVICES = names.RESOURCES
NC = [str(core) for core in range(12)]
ND = [str(device) for device in range(6)]


class _Node:
    """A manager with a settable clock and settable processes."""

    def __init__(self) -> None:
        self.now = 100.0
        self.alive: dict[str, bool | None] = {}
        self.meters = metrics.Metrics()
        self.locks = lock_table.LockTable()
        self.manager = resource_manager.ResourceManager(
            HARDWARE,
            names.NODE_NUMBERING,
            catalogue=cdi.NoCatalogue(node_parts.named()),
            locks=self.locks,
            look=lambda uids: {each: self.alive.get(each) for each in uids},
            clock=lambda: self.now,
            changed=signals.Signal(),
            meters=self.meters,
        )

    def assign(self, uid: str, ids: list[str], resource: str = CORES) -> None:
        assignment = pod_devices.Assignment(uid, "app", resource, frozenset(ids))
        self.manager.learn_assignments([assignment], self.alive)

    def counted(self, name: str) -> float | None:
        return self.meters.registry.get_sample_value(f"neuronspan_plugin_{name}")


@pytest.fixture
def node() -> _Node:
    return _Node()


def test_change_is_raised_only_by_a_change(node: _Node) -> None:
    manager = node.manager
    book = domain.book(12, [domain.grant()])
    manager.learn_ledger(book)
    version = manager.changed.version
    manager.learn_ledger(book)
    manager.learn_ledger(None)
    manager.learn_pods(())
    manager.learn_assignments((), {})
    assert manager.changed.version == version
    manager.learn_ledger(domain.book(12))
    assert manager.changed.version == version + 1


def test_last_ledger_stays_when_the_new_one_cannot_be_read(node: _Node) -> None:
    node.manager.learn_ledger(domain.book(12, [domain.grant()]))
    node.manager.learn_ledger(None)
    assert node.manager.book == domain.book(12, [domain.grant()])


def test_without_a_ledger_a_run_is_chosen_beside_what_is_held(node: _Node) -> None:
    node.manager.allocate(CORES, ["0", "1"])
    choice = node.manager.prefer(CORES, NC, [], 2, None)
    assert (choice.outcome, str(choice.span)) == (reasons.SteeringOutcome.UNMANAGED, "2-3")


def test_granted_cores_that_a_pod_holds_as_devices_are_not_answered(node: _Node) -> None:
    """Kubelet counts the two resources apart and offers the cores of a device that it has given away."""
    node.manager.allocate(DEVICES, ["2"])
    node.manager.learn_ledger(domain.book(12, [domain.grant("4-7")]))
    choice = node.manager.prefer(CORES, NC, [], 4, None)
    assert choice.outcome is reasons.SteeringOutcome.DRIFT
    assert choice.span is not None
    assert not {4, 5} & set(choice.span)


def test_allocation_is_recorded_for_the_container_it_was_steered_to(node: _Node) -> None:
    node.manager.learn_ledger(domain.book(12, [domain.grant("4-7")]))
    node.manager.prefer(CORES, NC, [], 4, None)
    node.manager.allocate(CORES, NC[4:8])
    (held,) = node.manager.holdings
    assert (held.pod_uid, held.container, held.certain) == ("uid-web", "app", False)


def test_allocation_is_that_of_the_grant_it_was_steered_to_although_the_ledger_changed_meanwhile(node: _Node) -> None:
    node.manager.learn_ledger(domain.book(12, [domain.grant("4-7", env=grants.EnvMode.COUNT)]))
    node.manager.prefer(CORES, NC, [], 4, None)
    node.manager.learn_ledger(domain.book(12, [domain.grant("4-7", "other")]))
    told = node.manager.allocate(CORES, NC[4:8]).environment
    (held,) = node.manager.holdings
    assert (held.pod_uid, told[names.NUM_CORES_ENV]) == ("uid-web", "4")


def test_allocation_is_of_no_known_pod_when_a_later_preference_was_for_no_grant(node: _Node) -> None:
    node.manager.learn_ledger(domain.book(12, [domain.grant("0-3")]))
    node.manager.prefer(CORES, NC, [], 4, None)
    node.manager.learn_ledger(domain.book(12))
    node.manager.prefer(CORES, NC, [], 4, None)
    node.manager.allocate(CORES, NC[:4])
    (held,) = node.manager.holdings
    assert held.pod_uid == ""


@pytest.mark.parametrize(
    ("now", "alive", "refused"),
    [(100.0, None, True), (100.0, False, True), (161.0, False, False), (161.0, True, False)],
    ids=["just allocated", "not started yet", "never started", "of an unknown pod"],
)
def test_cores_of_an_unidentified_holder_are_refused_while_it_may_still_start(
    node: _Node, now: float, alive: bool | None, refused: bool
) -> None:
    node.manager.allocate(DEVICES, ["0"])
    node.now = now
    node.alive["uid-web"] = alive
    if not refused:
        node.manager.allocate(CORES, ["1"])
        return
    with pytest.raises(errors.AllocationRefused) as refusal:
        node.manager.allocate(CORES, ["1"])
    assert refusal.value.reason == "HeldUnderOtherResource"


@pytest.mark.parametrize(
    ("alive", "granted", "refused"),
    [(True, False, True), (None, False, True), (False, False, False), (False, True, True)],
    ids=["running", "unseen", "over", "granted"],
)
def test_cores_of_a_known_holder_are_refused_while_it_lives(
    node: _Node, alive: bool | None, granted: bool, refused: bool
) -> None:
    node.alive["uid-web"] = True
    node.assign("uid-web", ["1"], DEVICES)
    grant = domain.grant("2-3", resource=DEVICES)
    node.manager.learn_ledger(domain.book(12, [grant] if granted else []))
    node.alive["uid-web"] = alive
    reason = ""
    try:
        node.manager.allocate(CORES, ["3"])
    except errors.AllocationRefused as error:
        reason = error.reason
    assert (reason == "HeldUnderOtherResource") is refused


def test_same_cores_under_the_same_resource_are_given_again(node: _Node) -> None:
    """Kubelet reuses a finished init container's devices without asking; a former holder is PreStart's matter."""
    node.manager.allocate(CORES, NC[:4])
    assert node.manager.allocate(CORES, NC[:4]).environment[names.GRANT_ENV] == "0-3"


def test_two_pods_on_one_core_are_counted_once(node: _Node) -> None:
    running = [
        holdings.Holding(
            CORES, domain.span(cores), 0.0, uid, container="app", certain=True, started=True, verified=True
        )
        for cores, uid in (("0-3", "uid-a"), ("3-5", "uid-b"))
    ]
    node.manager.restore(tuple(running))
    node.alive = {"uid-a": True, "uid-b": True}
    for _ in range(3):
        node.manager.learn_assignments(None, node.alive)
    assert node.counted("double_grants_total") == 1


def test_gauges_show_what_is_held_and_healthy(node: _Node) -> None:
    node.manager.allocate(DEVICES, ND[:2])
    node.manager.allocate(CORES, NC[6:9])
    assert node.counted("held_cores") == 7
    assert node.counted("healthy_cores") == 12


def test_record_of_larger_hardware_is_cut_to_what_exists(node: _Node) -> None:
    node.manager.restore(
        (holdings.Holding(CORES, domain.span("10-13"), 0.0), holdings.Holding(CORES, domain.span("3"), 0.0))
    )
    assert [str(each.span) for each in node.manager.holdings] == ["3"]


def test_devices_of_another_hardware_in_kubelets_record_are_left_out(node: _Node) -> None:
    node.alive["uid-web"] = True
    node.assign("uid-web", ["40"])
    assert node.manager.holdings == ()


def test_start_on_devices_that_do_not_exist_is_not_yet(node: _Node) -> None:
    with pytest.raises(errors.NotYet, match="does not exist on this node"):
        node.manager.check_start(CORES, ["40"], {})


def _finish_former_pod(node: _Node) -> None:
    """Let a pod that had cores 0 and 1 be over, and grant them to the next one; kubelet's record still names it."""
    node.manager.learn_ledger(domain.book(12, [domain.grant("0-1", "next")]))
    node.alive["uid-former"] = True
    node.assign("uid-former", NC[:2])
    node.alive["uid-former"] = False
    node.assign("uid-former", NC[:2])
    assert node.manager.holdings == ()


@pytest.mark.parametrize("seen", [False, None])
def test_record_that_kubelet_wrote_before_an_allocation_does_not_name_its_pod(node: _Node, seen: bool | None) -> None:
    """Kubelet writes its record after Allocate; the former pod that it names until then holds nothing any more."""
    _finish_former_pod(node)
    node.manager.allocate(CORES, NC[:2])
    node.alive["uid-former"] = seen
    node.assign("uid-former", NC[:2])
    assert [(held.pod_uid, str(held.span)) for held in node.manager.holdings] == [("uid-next", "0-1")]
    node.assign("uid-next", NC[:2])
    assert [(held.pod_uid, held.certain) for held in node.manager.holdings] == [("uid-next", True)]


def test_record_of_the_former_pod_counts_again_when_kubelet_has_it_anew(node: _Node) -> None:
    """What was outdated once is forgotten with the first record that does not have it."""
    _finish_former_pod(node)
    node.manager.allocate(CORES, NC[:2])
    node.assign("uid-next", NC[:2])
    node.alive["uid-former"] = True
    node.assign("uid-former", NC[:2])
    assert {held.pod_uid for held in node.manager.holdings} == {"uid-former", "uid-next"}


# --- lock files -------------------------------------------------------------------------------------------------------


def _granted_node(*pods: str) -> _Node:
    """The last of these pods has cores 4-5 by ledger and by kubelet's record; those before it are over."""
    node = _Node()
    node.manager.learn_ledger(domain.book(12, [domain.grant("4-5", pods[-1])]))
    node.alive = {**dict.fromkeys((f"uid-{each}" for each in pods), False), f"uid-{pods[-1]}": True}
    node.assign(f"uid-{pods[-1]}", ["4", "5"])
    return node


IDS = ["4", "5"]


def test_pod_starts_with_lock_files_of_its_own_and_keeps_them_when_it_starts_again() -> None:
    node = _granted_node("old", "web")
    node.locks.holders = {4: "uid-old", 5: ""}
    node.manager.start(CORES, IDS)
    assert (node.locks.holders, node.locks.made) == ({4: "uid-web", 5: "uid-web"}, [4, 5])
    node.manager.start(CORES, IDS)
    assert node.locks.made == [4, 5]
    assert [each.verified for each in node.manager.holdings] == [True]


@pytest.mark.parametrize("lives", [True, None])
def test_pod_does_not_start_while_the_one_that_the_lock_files_name_may_live(lives: bool | None) -> None:
    """Nothing else knows of it any more: not kubelet, not the ledger, not the plugin's record."""
    node = _granted_node("old", "web")
    node.locks.holders = {5: "uid-old"}
    node.alive["uid-old"] = lives
    with pytest.raises(errors.NotYet, match="core 5: its lock file is that of pod uid-old") as refusal:
        node.manager.start(CORES, IDS)
    assert refusal.value.reason == reasons.StartRefusal.FORMER_HOLDER_ALIVE
    assert (node.locks.made, [each.verified for each in node.manager.holdings]) == ([], [False])


def test_processes_are_looked_at_in_the_step_that_makes_the_files() -> None:
    """What was seen before may be over: another pod may have been let start meanwhile."""
    node = _granted_node("old", "web")
    node.manager.check_start(CORES, IDS, {"uid-old": False})
    node.locks.holders = {4: "uid-old"}
    node.alive["uid-old"] = True
    with pytest.raises(errors.NotYet, match="uid-old"):
        node.manager.start(CORES, IDS)


def test_ledger_is_compared_in_the_step_that_makes_the_files() -> None:
    node = _granted_node("web")
    node.manager.check_start(CORES, IDS, {})
    node.manager.learn_ledger(domain.book(12, [domain.grant("4-5", "next")]))
    with pytest.raises(errors.NotYet):
        node.manager.start(CORES, IDS)
    assert node.locks.made == []


def test_pod_that_an_older_version_let_start_keeps_its_files() -> None:
    """They name nobody, and a process of the pod may hold their locks."""
    node = _granted_node("web")
    node.locks.locked = {4, 5}
    node.manager.restore((holdings.Holding(CORES, domain.span("4-5"), 0.0, "uid-web", verified=True),))
    node.manager.start(CORES, IDS)
    assert node.locks.made == []


def test_pod_whose_lock_files_cannot_be_made_does_not_start() -> None:
    node = _granted_node("web")
    node.locks.problem = errors.NotYet("no room", reason=reasons.StartRefusal.LOCK_FILES_UNWRITABLE)
    with pytest.raises(errors.NotYet, match="no room"):
        node.manager.start(CORES, IDS)
    assert [each.verified for each in node.manager.holdings] == [False]


# --- former IDs -------------------------------------------------------------------------------------------------------

FORMER = [f"nc-{core}" for core in range(12)]


def test_cores_under_former_ids_are_not_answered_although_kubelet_offers_them(node: _Node) -> None:
    node.alive["uid-web"] = True
    node.assign("uid-web", FORMER[:2])
    choice = node.manager.prefer(CORES, NC, [], 2, None)
    assert (choice.outcome, str(choice.span)) == (reasons.SteeringOutcome.UNMANAGED, "2-3")


def test_answer_leaves_ids_that_must_be_included_as_kubelet_spells_them(node: _Node) -> None:
    """A pod's admission goes on after an upgrade: its init container has former IDs, which kubelet offers again."""
    choice = node.manager.prefer(CORES, [*NC, "nc-4", "nc-5"], ["nc-4", "nc-5"], 4, None)
    assert choice.span is not None
    ids = node.manager.ids(CORES, choice.span, ["nc-4", "nc-5"])
    assert {"nc-4", "nc-5"} < set(ids)
    assert not {"4", "5"} & set(ids)
    node.manager.allocate(CORES, ids)
    assert [each.former for each in node.manager.holdings] == [True]


@pytest.mark.parametrize(
    ("ids", "alive", "refused"),
    [
        (["4", "5"], True, True),
        (["3", "4"], True, True),
        (["4"], None, True),
        (["4"], False, False),
        (["6"], True, False),
        (["nc-4", "nc-5"], True, False),
    ],
    ids=["the same", "one of them", "unseen", "over", "a neighbour", "the former ones again"],
)
def test_cores_under_former_ids_are_refused_under_present_ones_while_their_pod_lives(
    node: _Node, ids: list[str], alive: bool | None, refused: bool
) -> None:
    node.alive["uid-web"] = True
    node.assign("uid-web", ["nc-4", "nc-5"])
    node.alive["uid-web"] = alive
    reason = ""
    try:
        node.manager.allocate(CORES, ids)
    except errors.AllocationRefused as error:
        reason = error.reason
    assert (reason == "HeldUnderFormerId") is refused


def test_pod_whose_admission_an_upgrade_interrupts_may_have_its_own_cores_under_both_ids(node: _Node) -> None:
    node.manager.learn_ledger(domain.book(12, [domain.grant("4-7", init_containers=("init",))]))
    node.manager.allocate(CORES, FORMER[4:6])
    choice = node.manager.prefer(CORES, [*NC, *FORMER[4:6]], FORMER[4:6], 4, None)
    assert (choice.outcome, str(choice.span)) == (reasons.SteeringOutcome.GRANT, "4-7")
    node.manager.allocate(CORES, [*FORMER[4:6], *NC[6:8]])
    assert [(str(each.span), each.pod_uid) for each in node.manager.holdings] == [
        ("4-5", "uid-web"),
        ("4-7", "uid-web"),
    ]


def test_start_with_former_ids_is_of_the_container_that_has_them(node: _Node) -> None:
    node.manager.learn_ledger(domain.book(12, [domain.grant("4-5")]))
    twice = [
        pod_devices.Assignment("uid-web", "app", CORES, frozenset(FORMER[4:6])),
        pod_devices.Assignment("uid-twin", "app", CORES, frozenset(NC[4:6])),
    ]
    node.manager.learn_assignments(twice, {"uid-web": True, "uid-twin": False})
    holder, grant = node.manager.check_start(CORES, FORMER[4:6], {"uid-twin": False})
    assert (holder.pod_uid, grant) == ("uid-web", domain.grant("4-5"))
    with pytest.raises(errors.NotYet, match="are granted to default/web"):
        node.manager.check_start(CORES, NC[4:6], {"uid-web": True})


def test_holder_that_cannot_be_seen_stays_until_kubelet_has_written(node: _Node) -> None:
    """Kubelet gives the cores of a pod away whose processes nobody sees: only its next record lets go of that pod."""
    node.assign("uid-former", NC[:2])
    node.now += holdings.FRESH_SECONDS + 1
    node.manager.learn_ledger(domain.book(12, [domain.grant("0-1", "next")]))
    node.manager.allocate(CORES, NC[:2])
    node.assign("uid-former", NC[:2])
    assert {held.pod_uid for held in node.manager.holdings} == {"uid-former", "uid-next"}
    node.assign("uid-next", NC[:2])
    assert {held.pod_uid for held in node.manager.holdings} == {"uid-next"}
