"""Which cores cannot be given away because a container has them that lives, although kubelet counts them as free.

Law: pure; what it refuses, kubelet fails for good, so nothing is refused that ends by itself.
"""

from collections.abc import Callable, Collection

from neuronspan import grants, spans
from neuronspan_deviceplugin import errors, reasons
from neuronspan_deviceplugin.allocation import holdings

Lives = Callable[[holdings.Holding], bool]
"""Whether the container may still use its cores."""


def refuse_taken(current: holdings.Holdings, resource: str, span: spans.CoreSpan, lives: Lives) -> None:
    """Raise AllocationRefused when a container holds the cores under the other resource: kubelet counts the two apart.

    Cores held under the same resource are not refused here: kubelet gives a finished init container's devices to the
    next container, and cores of a former holder are what PreStartContainer waits for.
    """
    for each in holdings.overlapping(current, span):
        if each.resource != resource and lives(each):
            raise errors.AllocationRefused(
                f"cores {span} are not free: {each} holds them as {each.resource}; delete the pod, its successor "
                "asks again",
                reason=reasons.AllocationRefusal.HELD_UNDER_OTHER_RESOURCE,
            )


def refuse_held_formerly(
    current: holdings.Holdings, asked: Collection[int], expected: grants.Grant | None, lives: Lives
) -> None:
    """Raise AllocationRefused for cores under their present IDs while another pod has them under their former ones.

    A pod that was admitted in the middle of an upgrade may have an init container's devices under both.
    """
    for each in current:
        if not each.former or set(asked).isdisjoint(each.span) or (expected and expected.pod_uid == each.pod_uid):
            continue
        if lives(each):
            raise errors.AllocationRefused(
                f"cores {', '.join(map(str, sorted(asked)))} are not free: {each} was given them before the device "
                "plugin was upgraded; delete the pod, its successor asks again",
                reason=reasons.AllocationRefusal.HELD_UNDER_FORMER_ID,
            )
