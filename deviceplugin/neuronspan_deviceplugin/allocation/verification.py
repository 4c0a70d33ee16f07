"""Whether a container may start on the cores that kubelet gave it.

Law: pure; a start is allowed only when kubelet's record and the ledger name the same pod and no other pod's processes
are on its cores; our own record speaks only in place of one that cannot be read. Everything else is NotYet: kubelet
asks again, so nothing is lost by refusing.
"""

import dataclasses
from collections.abc import Collection, Sequence

from neuronspan import grants, ledger, spans
from neuronspan_deviceplugin import errors, reasons
from neuronspan_deviceplugin.allocation import holdings, steering


@dataclasses.dataclass(frozen=True, slots=True)
class Start:
    """The question: these cores of this resource are about to be used by a container.

    ``former``: kubelet asks with former IDs, so it means the container that was given those.
    """

    resource: str
    span: spans.CoreSpan
    former: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Holder:
    """Who the start is for; several containers when an init container and the next one have the same cores."""

    pod_uid: str
    containers: frozenset[str]


def holder_to_start(start: Start, placed: Sequence[holdings.Placed] | None, current: holdings.Holdings) -> Holder:
    """Return the pod and containers that kubelet recorded for these cores, else (None: unreadable) our own record.

    Raises NotYet when no pod is known, or several are: kubelet would then have given one core away twice.
    """
    recorded: Collection[holdings.Placed | holdings.Holding] = current if placed is None else placed
    fitting = [each for each in recorded if _is_for(start, each) and each.pod_uid]
    pods = sorted({each.pod_uid for each in fitting})
    if not pods:
        raise errors.NotYet(
            f"no pod is known to hold cores {start.span}: kubelet's record does not name one yet; "
            "kubelet asks again by itself",
            reason=reasons.StartRefusal.HOLDER_UNKNOWN,
        )
    if len(pods) > 1:
        raise errors.NotYet(
            f"kubelet gave cores {start.span} to pods {' and '.join(pods)}: none of them starts until one is deleted",
            reason=reasons.StartRefusal.GIVEN_TWICE,
        )
    return Holder(pods[0], frozenset(each.container for each in fitting if each.container))


def grant_to_start(
    start: Start, holder: Holder, book: ledger.Ledger | None, current: holdings.Holdings
) -> grants.Grant | None:
    """Return the grant under which the holder may use the cores.

    None: the ledger is not known (the API server does not answer), but the pod started on these cores before.
    Raises NotYet.
    """
    if book is None:
        if any(_is_for(start, each) and each.pod_uid == holder.pod_uid and each.verified for each in current):
            return None
        raise errors.NotYet(
            f"the ledger is not known yet, and pod {holder.pod_uid} has not started on cores {start.span} before: "
            "check that the plugin reaches the API server",
            reason=reasons.StartRefusal.LEDGER_UNKNOWN,
        )
    grant = next((each for each in book.of_pod(holder.pod_uid) if _allows(each, start, holder)), None)
    if grant is None:
        raise _not_granted(start, holder, book)
    if grant.state is grants.GrantState.RELEASING:
        raise errors.NotYet(
            f"grant {grant} is being released because its pod is over: nothing of it starts again",
            reason=reasons.StartRefusal.RELEASING,
        )
    return grant


def refuse_former_holders(
    start: Start, pod_uid: str, book: ledger.Ledger | None, current: holdings.Holdings, alive: holdings.Alive
) -> None:
    """Raise NotYet while a process of another pod that had one of these cores is left, or cannot be ruled out."""
    former = {
        each.pod_uid: str(each)
        for each in holdings.overlapping(current, start.span)
        if each.pod_uid not in {pod_uid, ""}
    }
    former |= {
        each.pod_uid: str(each)
        for each in (book.grants if book else ())
        if each.span.overlaps(start.span) and each.pod_uid != pod_uid
    }
    for uid, who in sorted(former.items()):
        lives = alive(uid)
        if lives is False:
            continue
        state = "still has processes" if lives else "may still have processes, the control groups cannot be read"
        raise errors.NotYet(
            f"cores {start.span}: their former holder {who} (pod {uid}) {state}; the start is retried until they are "
            "gone",
            reason=reasons.StartRefusal.FORMER_HOLDER_ALIVE,
        )


def _is_for(start: Start, entry: holdings.Placed | holdings.Holding) -> bool:
    return (entry.resource, entry.span, entry.former) == (start.resource, start.span, start.former)


def _allows(grant: grants.Grant, start: Start, holder: Holder) -> bool:
    """Whether the holder has what the grant gives it: its own container all cores, an init container the first."""
    if grant.resource != start.resource or not steering.covers(grant, start.span):
        return False
    if not holder.containers or not holder.containers.isdisjoint(grant.init_containers):
        return True
    return grant.container in holder.containers and grant.span == start.span


def _not_granted(start: Start, holder: Holder, book: ledger.Ledger) -> errors.NotYet:
    of_pod = book.of_pod(holder.pod_uid)
    who = f"{'/'.join(sorted(holder.containers)) or 'a container'} of pod {holder.pod_uid}"
    own = ", ".join(str(each.span) for each in of_pod) or "none"
    others = [each for each in book.grants if each.span.overlaps(start.span) and not _is_own(each, holder)]
    twin = next((each for each in others if each.span == start.span and _has_equal(each, of_pod)), None)
    if twin is not None:
        return errors.NotYet(
            f"{who} got cores {start.span} of {twin} (granted to the pod: {own}): "
            "waiting for the operator to swap the two grants",
            reason=reasons.StartRefusal.SWAPPED,
        )
    if others:
        return errors.NotYet(
            f"cores {start.span} are granted to {', '.join(map(str, others))}, not to {who} (granted to the pod: "
            f"{own}): delete the pod, its successor gets cores of its own",
            reason=reasons.StartRefusal.GRANTED_TO_ANOTHER,
        )
    if of_pod:
        return errors.NotYet(
            f"{who} has cores {start.span}, granted to the pod: {own}; waiting for the operator to correct the ledger",
            reason=reasons.StartRefusal.DRIFT,
        )
    return errors.NotYet(
        f"no grant for cores {start.span} of {who} yet: waiting for the operator to adopt the pod",
        reason=reasons.StartRefusal.NOT_GRANTED,
    )


def _is_own(grant: grants.Grant, holder: Holder) -> bool:
    return grant.pod_uid == holder.pod_uid and (not holder.containers or grant.container in holder.containers)


def _has_equal(other: grants.Grant, of_pod: Sequence[grants.Grant]) -> bool:
    size = (other.span.count, other.resource)
    return any(each.key != other.key and (each.span.count, each.resource) == size for each in of_pod)
