import datetime as dt
from typing import Any

import pytest

from kits.manifests import builders, domain
from neuronspan import ledger, names, spans
from neuronspan_operator.objects import neuron_nodes, nodes


def test_neuron_node_is_read() -> None:
    grant = domain.grant("4-7")
    view = neuron_nodes.read(
        builders.make_neuron_node(
            "w1",
            [grant],
            version="7",
            held=[builders.held("4-7")],
            released=["uid-old"],
            unhealthy={0: "ECC", 1: "ECC", 2: "hot", 9: ""},
        )
    )
    assert (view.name, view.resource_version, view.epoch, view.registered) == ("w1", "7", "e1", True)
    assert view.ledger == ledger.Ledger(32, (grant,))
    assert view.hardware == view.advertised
    assert view.held == (
        neuron_nodes.Held("uid-web", "default", "web", "app", domain.span("4-7"), names.CORE_RESOURCE, processes=True),
    )
    assert view.released == {"uid-old"}
    assert view.unhealthy == (
        neuron_nodes.Unhealthy(spans.CoreSpan(0, 2), "ECC"),
        neuron_nodes.Unhealthy(spans.CoreSpan(2, 1), "hot"),
        neuron_nodes.Unhealthy(spans.CoreSpan(9, 1), ""),
    )
    assert list(map(str, view.unhealthy)) == ["0-1 (ECC)", "2 (hot)", "9"]


def test_new_neuron_node_has_no_status_yet() -> None:
    manifest = builders.make_neuron_node()
    del manifest["status"]
    view = neuron_nodes.read(manifest)
    assert (view.epoch, view.registered, view.advertised, view.held, view.unhealthy) == ("", False, None, (), ())
    assert view.problem == ""
    assert view.user_namespaces is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"hardware": {}}, "hardware is empty", id="no hardware"),
        pytest.param({"hardware": {"instanceType": "x"}}, "lacks", id="half a hardware"),
        pytest.param({"grants": [domain.grant("30-33").to_dict()]}, "last core 31", id="out of range"),
        pytest.param(
            {"grants": [domain.grant("0-3").to_dict(), domain.grant("2", pod="b").to_dict()]},
            "share a core",
            id="overlap",
        ),
        pytest.param({"grants": [{"podUID": "a"}]}, "lacks", id="half a grant"),
    ],
)
def test_unreadable_ledger_is_a_problem_in_words(change: dict[str, Any], words: str) -> None:
    manifest = builders.make_neuron_node()
    manifest["spec"] |= change
    view = neuron_nodes.read(manifest)
    assert view.ledger is None
    assert words in view.problem


def test_spec_patch_compares_before_it_swaps_and_sums_up() -> None:
    view = neuron_nodes.read(builders.make_neuron_node(version="7"))
    book = ledger.Ledger(32, (domain.grant("4-7"),))
    assert neuron_nodes.spec_patch(view, book) == {
        "metadata": {"resourceVersion": "7"},
        "spec": {"cores": 32, "grants": book.to_list(), "granted": 4, "free": 28, "largestFreeRun": 24},
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-01-31T09:00:01Z", dt.datetime(2026, 1, 31, 9, 0, 1, tzinfo=dt.UTC), id="RFC 3339"),
        pytest.param("2026-99-99T00:00:00Z", dt.datetime.min.replace(tzinfo=dt.UTC), id="no moment"),
        pytest.param("9999-12-31T23:59:59Z", dt.datetime.min.replace(tzinfo=dt.UTC), id="no clock shows it"),
        pytest.param("0001-01-01T00:00:00+09:00", dt.datetime.min.replace(tzinfo=dt.UTC), id="before all time"),
        pytest.param("2026-01-31T09:00:01", dt.datetime.min.replace(tzinfo=dt.UTC), id="no time zone"),
        pytest.param("", dt.datetime.min.replace(tzinfo=dt.UTC), id="empty"),
    ],
)
def test_moment_that_cannot_be_read_counts_as_long_ago(text: str, expected: dt.datetime) -> None:
    assert neuron_nodes.moment(text) == expected


def test_manifest_starts_empty_and_outlives_the_node() -> None:
    hardware = neuron_nodes.read(builders.make_neuron_node()).hardware
    assert hardware is not None
    made = neuron_nodes.manifest(nodes.read(builders.make_node("w1")), hardware, names.CONTAINER_NUMBERING)
    assert "ownerReferences" not in made["metadata"]
    view = neuron_nodes.read(made)
    assert (view.name, view.hardware, view.ledger, view.core_numbering) == (
        "w1",
        hardware,
        ledger.Ledger(32),
        "container",
    )
