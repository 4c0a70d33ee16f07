"""Which lock files a pod needs anew, and whose processes must be gone before."""

import pytest

from neuronspan_deviceplugin import errors
from neuronspan_deviceplugin.allocation import core_locks

GONE = {"uid-old": False}


def lock(pod_uid: str, *, core: int = 4, locked: bool = False) -> core_locks.CoreLock:
    return core_locks.CoreLock(core, pod_uid, locked)


OUTDATED = {
    "the pod's own": ([lock("uid-web")], (), []),
    "the pod's own, whatever else": ([lock("uid-web")], (4,), []),
    "those of a pod that is gone": ([lock("uid-old")], (), [4]),
    "those of a pod that is gone, though it was let start here before": ([lock("uid-old")], (4,), [4]),
    "nobody's": ([lock("")], (), [4]),
    "nobody's, where it was let start before": ([lock("", locked=True)], (4,), []),
    "nobody's, where it was let start on other cores": ([lock("")], (5,), [4]),
    "some of each": ([lock("uid-old", core=4), lock("uid-web", core=5), lock("", core=6)], (), [4, 6]),
    "none": ([], (), []),
}


@pytest.mark.parametrize(("locks", "started_on", "expected"), OUTDATED.values(), ids=OUTDATED.keys())
def test_outdated_are(locks: list[core_locks.CoreLock], started_on: tuple[int, ...], expected: list[int]) -> None:
    assert core_locks.outdated(locks, "uid-web", started_on, GONE.get) == expected


REFUSED = {
    "of a pod that lives": (lock("uid-old"), {"uid-old": True}, "which still has processes"),
    "of a pod that cannot be looked at": (lock("uid-old"), {"uid-old": None}, "cannot be looked at"),
    "of a pod that nobody asked about": (lock("uid-old"), {}, "cannot be looked at"),
    "locked, and naming nobody": (lock("", locked=True), {}, "names no pod as an older version made it"),
}


@pytest.mark.parametrize(("held", "alive", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_nothing_is_made_anew_beside_a_file(
    held: core_locks.CoreLock, alive: dict[str, bool | None], words: str
) -> None:
    with pytest.raises(errors.NotYet, match=words) as refusal:
        core_locks.outdated([lock("", core=3), held], "uid-web", (), alive.get)
    assert refusal.value.reason == "FormerHolderAlive"
