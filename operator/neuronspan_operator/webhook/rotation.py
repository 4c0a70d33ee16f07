"""When an identity is made, kept, renewed, or no longer believed. Pure: time and what makes new ones are arguments.

Law: replicas that read the same Secret want the same, whatever the order in which they ask; and no identity is served
before API servers were told to trust it.
"""

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable

from neuronspan_operator.webhook import identities

RENEWED_AT = 2 / 3
"""Of its life; the rest is for operators that are down, and for clocks that are wrong."""
SETTLING = dt.timedelta(hours=1)
"""How long a new authority is trusted before its certificate is served: every API server has heard of it by then."""

Issue = Callable[[], identities.Identity]
"""Makes an identity for these names, now."""


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """What decides beside the Secret: the names that API servers ask for, and the time."""

    names: frozenset[str]
    now: dt.datetime

    def usable(self, *candidates: identities.Identity | None) -> identities.Identity | None:
        """Return the first that can be served."""
        return next((each for each in candidates if each is not None and each.serves(self.names, self.now)), None)


def wanted(stored: identities.Book, kept: identities.Book, moment: Moment, issue: Issue) -> identities.Book:
    """Return what the Secret is to hold; equal to ``stored`` when it is right as it is.

    ``kept`` is what this process saw last: it repairs a Secret that was deleted or spoilt, and no API server notices.
    """
    following = moment.usable(stored.following, kept.following)
    current = moment.usable(stored.current, kept.current)
    if current is None:
        return _succeeded(following or issue(), stored, kept)
    due = current.age(moment.now) >= RENEWED_AT
    if following == current:
        following = None
    if due and following is not None and moment.now - following.made >= SETTLING:
        return _succeeded(following, identities.Book(current), kept)
    if due and following is None:
        following = issue()
    former = stored.former or (kept.former if stored.current is None else "")
    return identities.Book(current, following, former if former != current.authority else "")


def _succeeded(current: identities.Identity, stored: identities.Book, kept: identities.Book) -> identities.Book:
    """Return a book with a new current identity; that of the old one is trusted until it has ended."""
    before = next((each for each in (stored.current, kept.current) if each is not None), None)
    former = before.authority if before is not None and before != current else stored.former
    return identities.Book(current, None, former)


def host_names(service: str, namespace: str, others: Iterable[str] = ()) -> frozenset[str]:
    """Return the names under which API servers and people in the cluster reach a Service.

    API servers ask for ``<service>.<namespace>.svc`` (ServerName in apiserver/pkg/util/webhook/client.go).
    """
    short = f"{service}.{namespace}"
    return frozenset({service, short, f"{short}.svc", f"{short}.svc.cluster.local", *others})
