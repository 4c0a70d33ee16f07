import dataclasses
from collections.abc import Mapping, Sequence

import pytest

from kits.release import agreement
from neuronspan import grants, instance_types, names, spans

HARDWARE = instance_types.hardware_of("trn1.32xlarge")
APP = agreement.ContainerName("default", "p", "app")
OTHER = agreement.ContainerName("default", "q", "app")


def grant(name: agreement.ContainerName, first: int, count: int, env: str = "visible") -> grants.Grant:
    return grants.Grant(
        pod_uid=f"uid-{name.pod}",
        namespace=name.namespace,
        pod=name.pod,
        container=name.container,
        span=spans.CoreSpan(first, count),
        resource=names.CORE_RESOURCE,
        env=grants.EnvMode(env),
        state=grants.GrantState.CONFIRMED,
        since="2026-01-01T00:00:00Z",
    )


def environment(visible: str, fence: str) -> Mapping[str, str]:
    return {names.VISIBLE_CORES_ENV: visible, names.GRANT_ENV: fence}


AGREEING = agreement.NodeRecord(
    name="w1",
    hardware=HARDWARE,
    ledger={APP: grant(APP, 4, 2)},
    kubelet={APP: {names.CORE_RESOURCE: ["5", "4"]}},
    environment={APP: environment("4-5", "4-5")},
)


def cores(*ids: str) -> Mapping[str, Sequence[str]]:
    return {names.CORE_RESOURCE: ids}


def changed(
    *,
    ledger: Mapping[agreement.ContainerName, grants.Grant] | None = None,
    kubelet: Mapping[agreement.ContainerName, Mapping[str, Sequence[str]]] | None = None,
    environment: Mapping[agreement.ContainerName, Mapping[str, str]] | None = None,
) -> agreement.NodeRecord:
    return dataclasses.replace(
        AGREEING,
        ledger=AGREEING.ledger if ledger is None else ledger,
        kubelet=AGREEING.kubelet if kubelet is None else kubelet,
        environment=AGREEING.environment if environment is None else environment,
    )


def test_verdict_has_no_complaint_when_the_three_sides_agree() -> None:
    found = agreement.verdict([AGREEING])
    assert (found.complaints, found.containers, found.cores) == ((), 1, 2)
    assert "contiguous and exclusive" in str(found)


def test_verdict_accepts_the_count_mode() -> None:
    record = changed(
        ledger={APP: grant(APP, 4, 2, "count")},
        environment={APP: {names.NUM_CORES_ENV: "2", names.VISIBLE_CORES_ENV: "", names.GRANT_ENV: "4-5"}},
    )
    assert agreement.verdict([record]).complaints == ()


@pytest.mark.parametrize(
    ("record", "says"),
    [
        pytest.param(changed(kubelet={APP: cores("4", "6")}), "are no span", id="gap"),
        pytest.param(changed(kubelet={APP: cores("6", "7")}), "kubelet holds 6-7", id="kubelet-differs"),
        pytest.param(changed(kubelet={}), "are no span", id="kubelet-knows-nothing"),
        pytest.param(changed(environment={APP: environment("0-31", "4-5")}), "'0-31', not '4-5'", id="user-won"),
        pytest.param(changed(environment={APP: environment("4-5", "")}), names.GRANT_ENV, id="no-fence"),
        pytest.param(changed(ledger={}), "without a grant", id="no-grant"),
        pytest.param(
            changed(kubelet={APP: cores("4", "5"), OTHER: {names.DEVICE_RESOURCE: ["2"]}}),
            "core 4 belongs to",
            id="core-twice",
        ),
        pytest.param(
            changed(kubelet={APP: cores("nc-4", "nc-5"), OTHER: cores("4")}),
            "core 4 belongs to",
            id="core-twice-by-its-former-id",
        ),
        pytest.param(changed(kubelet={**AGREEING.kubelet, OTHER: cores("9")}), "knows nothing", id="unknown-holder"),
    ],
)
def test_verdict_complains(record: agreement.NodeRecord, says: str) -> None:
    assert any(says in complaint for complaint in agreement.verdict([record]).complaints)
