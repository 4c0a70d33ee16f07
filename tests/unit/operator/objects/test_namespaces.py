"""Namespaces, as pod affinity selects them."""

from neuronspan_operator.objects import namespaces


def test_labels_of_a_namespace_are_read() -> None:
    assert namespaces.read({"metadata": {"name": "team", "labels": {"tier": "gold"}}}) == {"tier": "gold"}


def test_namespace_without_labels_has_none() -> None:
    assert namespaces.read({"metadata": {"name": "team"}}) == {}
