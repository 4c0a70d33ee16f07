"""Tables and pictures of curves and costs that are given."""

import xml.etree.ElementTree as ET

import pytest

from performance import checking
from performance.growth import chart, costs, curves, fits, load, page

COSTS = costs.Costs(
    planning=0.001,
    rest_of_operator=0.004,
    event=0.0002,
    pools=2e-5,
    apiserver=0.02,
    base_mebibytes=80.0,
    mebibytes_of_node=0.04,
)
FOUND = curves.Measured("nodes", [(100.0, 0.2), (1000.0, 0.2), (10_000.0, 0.4)], [(100.0, 20.0), (10_000.0, 20.0)])


def test_content_stands_between_the_marks_of_its_name() -> None:
    text = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n"
    assert page.replaced(text, "x", "new\n") == "a\n<!-- x: begin -->\nnew\n<!-- x: end -->\nb\n"


def test_a_page_without_marks_is_refused_with_what_to_write() -> None:
    with pytest.raises(LookupError, match="the page has no marks for x: write <!-- x: begin -->"):
        page.replaced("a\n<!-- x: begin -->\nb\n", "x", "new")


def test_the_page_has_all_its_marks() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    for name in ("curves", "demands", "games"):
        assert page.replaced(text, name, "").count(f"<!-- {name}: ") == 2


def test_sizes_are_rows_and_powers_are_fitted() -> None:
    found = curves.Measured("waiting", [(100.0, 0.2), (10_000.0, 20.0)], [(100.0, 20.0), (10_000.0, 20.0)])
    lines = page.measured([found]).splitlines()
    assert lines[3] == "| waiting pods that fit nowhere | 10 000 | 20.000 | 20.0 |"
    assert lines[-1] == "| waiting pods that fit nowhere | +1.00 | +0.00 |"


def test_a_picture_has_every_point_inside_and_says_the_power() -> None:
    points = [(10.0, 1.0), (1000.0, 100.0)]
    text = chart.svg("t", "x", "y", [chart.Curve("a & b", points, fits.power(points))])
    root = ET.fromstring(text)  # noqa: S314 - our own output
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == len(points) + 1  # and one in the legend
    assert all(0 < float(each.attrib["cx"]) < 760 and 0 < float(each.attrib["cy"]) < 380 for each in circles)
    assert "a &amp; b" in text
    assert "grows with the power 1.00" in text


def test_axes_with_a_picture_are_drawn_into_their_file() -> None:
    assert [path.name for path in page.pictures([FOUND])] == ["growth-nodes.svg"]


def test_twice_the_nodes_ask_for_twice_as_much() -> None:
    small, large = (load.demand(nodes, load.Use(), COSTS) for nodes in (5000, 10_000))
    assert large.operator == pytest.approx(2 * small.operator)
    assert large.apiserver == pytest.approx(2 * small.apiserver)
    assert large.mebibytes - small.mebibytes == pytest.approx(5000 * 0.04)


def test_pools_are_looked_at_after_each_change_of_a_node() -> None:
    use = load.Use(pods=4, pod_seconds=100.0, changes_of_pod=3, heartbeat_seconds=50.0)
    assert load.demand(1000, use, COSTS).pools == pytest.approx((120 + 20) * COSTS.pools)


def test_costs_are_those_that_were_recorded() -> None:
    quantities = {
        ("planner", "new_pod_5000"): 0.5,
        ("planner", "pools"): 20.0,
        ("cluster_5000", "operator"): 4.5,
        ("cluster_5000", "cores_apiserver"): 15.0,
        ("footprint", "event"): 200.0,
        ("footprint", "empty"): 80.0,
        ("footprint", "resident"): 280.0,
    }
    entries = [
        checking.Entry(checking.Limit(case, name, "", ""), checking.measured([value], "median"))
        for (case, name), value in quantities.items()
    ]
    found = costs.recorded(entries)
    assert (found.planning, found.rest_of_operator, found.apiserver) == (0.0005, 0.004, 0.015)
    assert found.pools == pytest.approx(2e-5)
    assert found.ledger_write + found.binding + found.other_writes == pytest.approx(0.015)
    assert (found.base_mebibytes, found.mebibytes_of_node) == (80.0, 0.04)


def test_a_cost_that_was_not_recorded_is_named() -> None:
    with pytest.raises(costs.NotRecordedError, match="new_pod_5000 of case planner is not recorded: make test-perf"):
        costs.recorded([])
