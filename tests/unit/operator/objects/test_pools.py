"""NeuronPools as they are read."""

from collections.abc import Mapping
from typing import Any

import pytest

from kits.manifests import pool_views
from neuronspan import instance_types, placement
from neuronspan_operator.objects import pools

manifest, pool, node, member = pool_views.manifest, pool_views.pool, pool_views.node, pool_views.member


def test_read_takes_profile_and_policy() -> None:
    view = pools.read(
        manifest(
            hardware={"instanceType": "trn2.48xlarge", "logicalCoreSize": 1},
            policy={
                "packing": "worst-fit",
                "alignment": "link",
                "deviceCounts": "aws",
                "limboSeconds": 30,
                "quarantineSeconds": 0,
                "preferences": "AfterPacking",
            },
        )
    )
    assert view.hardware == instance_types.hardware_of("trn2.48xlarge", 1)
    assert view.policy == pools.Policy(
        placement.Packing.WORST_FIT,
        placement.Rules(placement.Alignment.LINK, placement.DeviceCounts.AWS),
        30.0,
        0.0,
        placement.Preferences.AFTER_PACKING,
    )
    assert (view.generation, view.resource_version, view.problem) == (3, "7", "")


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({"hardware": {"instanceType": "p5.48xlarge"}}, "UnknownInstanceType", "trn1.32xlarge"),
        ({"hardware": {"instanceType": "inf2.xlarge", "logicalCoreSize": 2}}, "InvalidHardware", "logical core size"),
        ({"policy": {"packing": "tetris"}}, "InvalidPolicy", "tetris"),
        ({"hardware": {}}, "UnknownInstanceType", ""),
    ],
    ids=["instance-type", "logical-core-size", "packing", "empty"],
)
def test_read_puts_a_bad_profile_into_words(spec: dict[str, Any], reason: str, words: str) -> None:
    view = pools.read(manifest(**spec))
    assert (view.hardware, view.problem_reason) == (None, reason)
    assert words in view.problem


@pytest.mark.parametrize(
    ("selector", "labels", "deleted", "selects"),
    [
        ({"neuron": "yes"}, {"neuron": "yes", "zone": "a"}, False, True),
        ({"neuron": "yes", "zone": "b"}, {"neuron": "yes", "zone": "a"}, False, False),
        ({"neuron": "yes"}, {"zone": "a"}, False, False),
        ({}, {"neuron": "yes"}, False, False),
        ({"neuron": "yes"}, {"neuron": "yes"}, True, False),
    ],
    ids=["match", "one-label-differs", "no-label", "empty-selector", "being-deleted"],
)
def test_pool_selects(selector: Mapping[str, str], labels: dict[str, str], *, deleted: bool, selects: bool) -> None:
    assert pool(nodeSelector=selector, deleted=deleted).selects(node(**labels)) is selects


def test_policies_follow_the_pool_label() -> None:
    known = {"a": pool("a", policy={"limboSeconds": 5})}
    members = {"w1": member("w1"), "w2": member("w2", of="b"), "w3": member("w3", of="")}
    assert pools.policies(known, members) == {"w1": pools.Policy(limbo_seconds=5.0)}
