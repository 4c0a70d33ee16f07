"""Nodes are opened one by one; the journal has those about which something changed."""

import dataclasses

import pytest

from kits.manifests import builders, domain
from neuronspan import grants
from neuronspan_operator.objects import neuron_nodes, nodes, pools
from neuronspan_operator.planning import journal
from neuronspan_operator.planning.drafting import node_table

GRANT = domain.grant("0-3")
VIEW = neuron_nodes.read(builders.make_neuron_node("w1", [GRANT]))
HOST = nodes.read(builders.make_node("w1"))


@pytest.fixture
def changes() -> journal.Journal[str]:
    return journal.Journal()


@pytest.fixture
def table(changes: journal.Journal[str]) -> node_table.NodeTable:
    found = node_table.NodeTable(changes)
    found.open("w1", VIEW, HOST, pools.Policy())
    return found


def test_node_that_is_opened_as_it_was_is_no_change(table: node_table.NodeTable, changes: journal.Journal[str]) -> None:
    before, position = table.drafts["w1"].version, changes.position
    newer = dataclasses.replace(VIEW, resource_version="2")
    table.open("w1", newer, HOST, pools.Policy())
    assert (table.drafts["w1"].version, table.drafts["w1"].view) == (before, newer)
    assert changes.since(position) == {}


@pytest.mark.parametrize("what", ["ledger", "unhealthy", "host", "gone"])
def test_node_that_is_opened_otherwise_is_in_the_journal(
    table: node_table.NodeTable, changes: journal.Journal[str], what: str
) -> None:
    position = changes.position
    views = {
        "ledger": neuron_nodes.read(builders.make_neuron_node("w1")),
        "unhealthy": neuron_nodes.read(builders.make_neuron_node("w1", [GRANT], unhealthy=[9])),
        "gone": None,
    }
    host = nodes.read(builders.make_node("w1", ready=False)) if what == "host" else HOST
    table.open("w1", views.get(what, VIEW), host, pools.Policy())
    assert changes.since(position) == {"w1": None}


def test_changed_ledger_is_unsettled_until_its_node_is_opened_again(
    table: node_table.NodeTable, changes: journal.Journal[str]
) -> None:
    node, position = table.drafts["w1"], changes.position
    node.change(node.ledger.release(GRANT.key, domain.LATER))
    table.note_releases("w1")
    assert (table.unsettled, table.releasing, changes.since(position)) == ({"w1"}, {"w1"}, {"w1": None})
    table.open("w1", VIEW, HOST, pools.Policy())
    table.note_releases("w1")
    assert (table.unsettled, table.releasing) == (set(), set())


def test_node_whose_ledger_cannot_be_read_has_no_draft(table: node_table.NodeTable) -> None:
    manifest = builders.make_neuron_node("w1", [dataclasses.replace(GRANT, state=grants.GrantState.CONFIRMED)])
    manifest["spec"]["hardware"] = {}
    broken = neuron_nodes.read(manifest)
    assert table.open("w1", broken, HOST, pools.Policy()) is None
    assert (table.drafts, table.names, table.broken) == ({}, [], {"w1": broken})
    table.open("w1", VIEW, HOST, pools.Policy())
    assert (table.names, table.broken) == (["w1"], {})
