"""Pods whose user namespace shuts them out of the devices of their node: they are told, for as long as that is so."""

from typing import Any

import pytest

from kits.manifests import builders, domain, snapshots
from neuronspan_operator import reasons
from neuronspan_operator.planning import plans


def _pod(*, host_users: bool | None = False, **fields: Any) -> dict[str, Any]:
    made = builders.make_pod("web", cores=4, node="w1", phase="Running", **fields)
    if host_users is not None:
        made["spec"]["hostUsers"] = host_users
    return made


def _warned(pod: dict[str, Any], *, mounted: bool | None = False) -> list[plans.Notice]:
    """What is said of a pod that has a grant on a node whose plugin says this of user namespaces."""
    member = builders.make_neuron_node("w1", [domain.grant("0-3", "web")])
    if mounted is not None:
        member["status"]["userNamespaces"] = mounted
    found = snapshots.plan([pod], None, [member])
    return [each for each in found.notices if each.reason == reasons.EventReason.USER_NAMESPACE]


def test_pod_with_a_user_namespace_is_told_that_its_nodes_devices_do_not_reach_it() -> None:
    (notice,) = _warned(_pod())
    assert (notice.name, notice.lasting, notice.type) == ("web", True, plans.NoticeType.WARNING)
    assert "hostUsers: false" in notice.message
    assert "node w1" in notice.message
    assert "NEURONSPAN_MOUNT_DEVICES=true" in notice.message


@pytest.mark.parametrize("mounted", [True, None], ids=["mounted", "the plugin is too old to say"])
def test_nobody_is_told_where_devices_may_reach_it(mounted: bool | None) -> None:
    assert _warned(_pod(), mounted=mounted) == []


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(_pod(host_users=None), id="says nothing"),
        pytest.param(_pod(host_users=True), id="the host's users"),
        pytest.param(_pod(deleted=True), id="being deleted"),
        pytest.param(_pod() | {"status": {"phase": "Failed"}}, id="over"),
    ],
)
def test_others_are_not_told(pod: dict[str, Any]) -> None:
    assert _warned(pod) == []
