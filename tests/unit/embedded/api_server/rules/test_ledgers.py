"""The promises of the ledger are kept without CEL, in the words of the CustomResourceDefinition."""

import pytest

from neuronspan_embedded.api_server.rules import ledgers

HARDWARE = {"devices": 16, "coresPerDevice": 2}


def _grant(pod: str, first: int, count: int, state: str = "Granted") -> dict[str, object]:
    resource = "aws.amazon.com/neuroncore"
    return {"podUID": pod, "container": "app", "first": first, "count": count, "resource": resource, "state": state}


def _node(*grants: dict[str, object]) -> dict[str, object]:
    return {"spec": {"hardware": HARDWARE, "cores": 32, "grants": list(grants)}}


@pytest.mark.parametrize(
    ("grants", "words"),
    [
        ((_grant("p", 0, 4), _grant("q", 3, 1)), "two grants share a core"),
        ((_grant("p", 8, 4), _grant("q", 0, 4)), "grants stand in the order of their first cores"),
        ((_grant("p", 30, 4),), "a grant reaches past the node's last core"),
        ((_grant("p", 0, 1), _grant("p", 1, 1)), "two grants belong to the same container of the same pod"),
    ],
)
def test_a_ledger_that_breaks_a_promise_is_refused(grants: tuple[dict[str, object], ...], words: str) -> None:
    assert list(ledgers.problems("neuronnodes", _node(*grants), None)) == [f"spec.grants: Invalid value: {words}"]


def test_a_confirmed_grant_is_not_dropped_and_a_granted_one_is() -> None:
    confirmed, granted = _node(_grant("p", 0, 4, "Confirmed")), _node(_grant("p", 0, 4))
    assert any("cannot be dropped" in each for each in ledgers.problems("neuronnodes", _node(), confirmed))
    assert list(ledgers.problems("neuronnodes", _node(), granted)) == []
