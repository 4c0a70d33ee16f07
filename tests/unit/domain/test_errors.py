import inspect

import pytest

from neuronspan import errors

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_error_belongs_to_the_tree(kind: type[Exception]) -> None:
    assert issubclass(kind, errors.NeuronspanError)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_error_is_drawn_in_the_tree(kind: type[Exception]) -> None:
    assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize(
    "kind",
    [
        errors.SpanOverlap,
        errors.SpanOutOfRange,
        errors.DuplicateGrant,
        errors.UnknownGrant,
        errors.IllegalTransition,
    ],
)
def test_error_of_the_ledger_is_a_ledger_error(kind: type[Exception]) -> None:
    assert issubclass(kind, errors.LedgerError)


def test_invalid_grant_is_not_a_ledger_error() -> None:
    """One bad entry and entries that do not go together are healed differently."""
    assert not issubclass(errors.InvalidGrant, errors.LedgerError)
