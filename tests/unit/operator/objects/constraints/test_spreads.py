from typing import Any

import pytest

from kits.manifests import clusters
from neuronspan_operator.objects.constraints import selectors, spreads

LABELS = {"app": "web", "revision": "2"}
SELECTOR = selectors.read({"matchLabels": {"app": "web"}})


def _read(**fields: Any) -> spreads.SpreadConstraint:
    (read,) = spreads.read([clusters.spread("zone", {"app": "web"}, **fields)], LABELS)
    return read


def test_constraint_without_more_fields_has_the_defaults() -> None:
    assert _read() == spreads.SpreadConstraint(1, "zone", SELECTOR)
    defaults = spreads.SpreadConstraint(1, "zone", SELECTOR, min_domains=1, honor_affinity=True, honor_taints=False)
    assert _read() == defaults


def test_every_field_is_read() -> None:
    fields = {"minDomains": 3, "nodeAffinityPolicy": "Ignore", "nodeTaintsPolicy": "Honor"}
    read = _read(skew=2, whenUnsatisfiable="ScheduleAnyway", **fields)
    assert read == spreads.SpreadConstraint(
        2, "zone", SELECTOR, required=False, min_domains=3, honor_affinity=False, honor_taints=True
    )


def test_label_keys_narrow_the_selector_by_the_labels_that_the_pod_has() -> None:
    read = _read(matchLabelKeys=["revision", "absent"])
    assert read.selector.selects(LABELS)
    assert not read.selector.selects({**LABELS, "revision": "1"})


@pytest.mark.parametrize("raw", [None, []], ids=str)
def test_pod_without_constraints_has_none(raw: list[dict[str, Any]] | None) -> None:
    assert spreads.read(raw, LABELS) == ()
