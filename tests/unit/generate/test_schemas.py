import dataclasses

import pytest

from generate import schemas
from neuronspan import instance_types

JOINING = instance_types.INSTANCE_TYPES["trn2.48xlarge"]
ALONE = instance_types.INSTANCE_TYPES["trn1.32xlarge"]


def _catalogue(monkeypatch: pytest.MonkeyPatch, *entries: instance_types.InstanceType) -> None:
    monkeypatch.setattr(instance_types, "INSTANCE_TYPES", {each.name: each for each in entries})


def test_rule_of_a_single_series_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    _catalogue(monkeypatch, JOINING, ALONE)
    rule = schemas.neuron_pools()["joined-cores"]
    assert "    || self.instanceType.startsWith('trn2')" in rule
    assert "    'logicalCoreSize 2 exists on trn2 only, and the instance type is '" in rule


def test_series_of_which_only_some_join_cores_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _catalogue(monkeypatch, JOINING, dataclasses.replace(ALONE, name="trn2.1xlarge"))
    with pytest.raises(ValueError, match=r"trn2\.1xlarge cannot join cores, others of its series can"):
        schemas.neuron_pools()


def test_joining_type_without_a_series_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _catalogue(monkeypatch, dataclasses.replace(JOINING, name="ultra.48xlarge"))
    with pytest.raises(ValueError, match=r"'ultra\.48xlarge' has no series"):
        schemas.neuron_pools()
