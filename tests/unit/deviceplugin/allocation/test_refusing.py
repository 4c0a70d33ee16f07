"""Cores that are refused because a container has them that lives, although kubelet counts them as free."""

import pytest

from kits.kubelet import holders
from kits.manifests import domain
from neuronspan import names
from neuronspan_deviceplugin import errors, reasons
from neuronspan_deviceplugin.allocation import holdings, refusing

ASKED = domain.span("4-7")


def _lives(holding: holdings.Holding) -> bool:
    return holding.pod_uid != "uid-gone"


@pytest.mark.parametrize(
    ("holding", "refused"),
    [
        (holders.holding("6-9"), True),
        (holders.holding("6-9", "uid-gone"), False),
        (holders.holding("6-9", resource=names.DEVICE_RESOURCE), False),
        (holders.holding("8-9"), False),
    ],
    ids=["a live one", "one that is over", "under the same resource", "a neighbour"],
)
def test_cores_are_refused_that_a_live_container_holds_under_the_other_resource(
    holding: holdings.Holding, refused: bool
) -> None:
    outcome = reasons.AllocationRefusal.HELD_UNDER_OTHER_RESOURCE if refused else None
    assert _refusal_of_taken(holding) is outcome


def _refusal_of_taken(holding: holdings.Holding) -> reasons.AllocationRefusal | None:
    try:
        refusing.refuse_taken((holding,), names.DEVICE_RESOURCE, ASKED, _lives)
    except errors.AllocationRefused as error:
        return error.reason
    return None


def test_cores_are_refused_that_another_pod_has_under_their_former_ids() -> None:
    former = holders.holding("6-9", former=True)
    with pytest.raises(
        errors.AllocationRefused, match=r"cores 4, 5, 6, 7 are not free: pod uid-web\[app\] 6-9"
    ) as refusal:
        refusing.refuse_held_formerly((former,), frozenset(ASKED), domain.grant("4-7", "other"), _lives)
    assert refusal.value.reason is reasons.AllocationRefusal.HELD_UNDER_FORMER_ID


@pytest.mark.parametrize(
    ("holding", "expected"),
    [
        (holders.holding("6-9", former=True), domain.grant("4-7", "web")),
        (holders.holding("6-9", "uid-gone", former=True), None),
        (holders.holding("6-9"), None),
        (holders.holding("8-9", former=True), None),
    ],
    ids=["of the same pod", "one that is over", "under present IDs", "a neighbour"],
)
def test_other_holders_are_in_nobodys_way(holding: holdings.Holding, expected: object) -> None:
    refusing.refuse_held_formerly((holding,), frozenset(ASKED), expected, _lives)  # type: ignore[arg-type]
    assert _lives(holding) is (holding.pod_uid == "uid-web")
