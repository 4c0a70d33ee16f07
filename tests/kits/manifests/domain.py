"""Short ways to write domain values in tests: grants with sensible defaults, spans and ledgers from text."""

from collections.abc import Iterable
from typing import Any

from neuronspan import grants, ledger, names, spans

SINCE = "2026-01-31T09:00:00Z"
LATER = "2026-01-31T09:00:05Z"


def span(text: str) -> spans.CoreSpan:
    """Return the span ``4-7``."""
    return spans.CoreSpan.parse(text)


def spans_of(text: str) -> tuple[spans.CoreSpan, ...]:
    """Return the spans of ``0-1 4-7``; none for an empty text."""
    return tuple(map(span, text.split()))


def grant(cores: str = "4-7", pod: str = "web", **fields: Any) -> grants.Grant:
    """Return a grant of these cores to container ``app`` of a pod whose UID is ``uid-<pod>``."""
    values: dict[str, Any] = {
        "pod_uid": f"uid-{pod}",
        "namespace": "default",
        "pod": pod,
        "container": "app",
        "span": span(cores),
        "resource": names.CORE_RESOURCE,
        "env": grants.EnvMode.VISIBLE,
        "state": grants.GrantState.GRANTED,
        "since": SINCE,
    }
    return grants.Grant(**(values | fields))


def book(cores: int, entries: Iterable[grants.Grant] = ()) -> ledger.Ledger:
    """Return a ledger with these grants."""
    return ledger.Ledger(cores, tuple(entries))
