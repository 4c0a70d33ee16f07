"""Writes that the API server refuses: told from the second time on, in its words, until they succeed."""

from collections.abc import Callable

import pytest

from kits.manifests import builders
from neuronspan_agent import errors
from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.telling import refusals

Write = refusals.Write
WEBHOOK = errors.Forbidden(
    'PATCH /apis/neuronspan.dev/v1alpha1/neuronnodes/w1: 403 admission webhook "guard.example.com" denied the request: '
    "never on Fridays.",
    status=403,
)


def known(*names: str) -> Callable[[str], pods.PodView | None]:
    return {f"uid-{name}": pods.read(builders.make_pod(name, cores=4)) for name in names}.get


def refused(write: refusals.Write, name: str, *uids: str, times: int = 2) -> refusals.Refusals:
    memory = refusals.Refusals()
    for _ in range(times):
        memory.failed(write, name, WEBHOOK, uids)
    return memory


def test_first_refusal_may_pass_by_itself_and_is_not_told() -> None:
    assert refused(Write.LEDGER, "w1", "uid-web", times=1).waiting(known("web"), granted=()) == {}


def test_ledger_that_is_refused_twice_is_why_its_pods_wait_in_the_servers_words() -> None:
    waiting = refused(Write.LEDGER, "w1", "uid-web", "uid-db").waiting(known("web", "db", "other"), granted=())
    assert waiting.keys() == {"uid-web", "uid-db"}
    assert waiting["uid-web"].reason is reasons.WaitingReason.WRITE_REFUSED
    assert waiting["uid-web"].message == (
        'The API server did not take the ledger of node w1: 403 admission webhook "guard.example.com" denied the '
        "request: never on Fridays. Ask who owns that webhook to let the operator's service account pass; it is tried "
        "again by itself."
    )


def test_only_the_pods_of_the_last_attempt_wait_for_it() -> None:
    memory = refused(Write.LEDGER, "w1", "uid-web")
    memory.failed(Write.LEDGER, "w1", WEBHOOK, ["uid-db"])
    assert memory.waiting(known("web", "db"), granted=()).keys() == {"uid-db"}


def test_pod_with_a_stored_grant_does_not_wait_for_a_ledger_but_may_wait_for_its_binding() -> None:
    memory = refused(Write.LEDGER, "w1", "uid-web")
    assert memory.waiting(known("web"), granted={"uid-web"}) == {}
    memory = refused(Write.BINDING, "uid-web", "uid-web")
    assert "the binding of this pod" in memory.waiting(known("web"), granted={"uid-web"})["uid-web"].message


def test_write_that_succeeds_ends_it() -> None:
    memory = refused(Write.LEDGER, "w1", "uid-web")
    memory.succeeded(Write.LEDGER, "w1")
    assert memory.waiting(known("web"), granted=()) == {}
    memory.failed(Write.LEDGER, "w1", WEBHOOK, ["uid-web"])
    assert memory.waiting(known("web"), granted=()) == {}


def test_pods_that_are_bound_or_gone_are_not_told() -> None:
    memory = refused(Write.BINDING, "uid-web", "uid-web")
    bound = {"uid-web": pods.read(builders.make_pod("web", cores=4, node="w1"))}
    assert memory.waiting(bound.get, granted=()) == {}
    assert memory.waiting(known(), granted=()) == {}


def test_refused_condition_is_an_event_and_not_what_the_pod_waits_for() -> None:
    memory = refused(Write.CONDITION, "uid-web", "uid-web")
    assert memory.waiting(known("web"), granted=()) == {}
    (notice,) = memory.notices(known("web"))
    assert (notice.reason, notice.lasting) == (reasons.EventReason.STATUS_REFUSED, True)
    assert notice.message.startswith("The API server did not take the condition of this pod: 403 ")


def test_only_conditions_are_told_as_events() -> None:
    assert refused(Write.BINDING, "uid-web", "uid-web").notices(known("web")) == []


def test_what_is_gone_is_forgotten() -> None:
    memory = refused(Write.LEDGER, "w1", "uid-web")
    memory.failed(Write.BINDING, "uid-db", WEBHOOK, ["uid-db"])
    memory.failed(Write.BINDING, "uid-db", WEBHOOK, ["uid-db"])
    memory.forget_pod("uid-db")
    assert memory.waiting(known("web", "db"), granted=()).keys() == {"uid-web"}
    memory.forget_node("w1")
    assert memory.waiting(known("web", "db"), granted=()) == {}


def test_version_grows_with_every_change_and_only_then() -> None:
    memory = refusals.Refusals()
    memory.succeeded(Write.BINDING, "uid-web")
    memory.forget_pod("uid-web")
    assert memory.version == 0
    memory.failed(Write.BINDING, "uid-web", WEBHOOK, ["uid-web"])
    assert (memory.version, set(memory.uids)) == (1, {"uid-web"})
    memory.forget_pod("uid-web")
    assert (memory.version, set(memory.uids)) == (2, set())


@pytest.mark.parametrize(
    ("error", "way_out"),
    [
        (WEBHOOK, "who owns that webhook"),
        (
            errors.Invalid("POST /b: 422 ValidatingAdmissionPolicy 'x' denied request", status=422),
            "who owns that policy",
        ),
        (
            errors.Forbidden('POST /b: 403 User "o" cannot create resource in API group "policy"', status=403),
            "the rights that the chart gives",
        ),
        (errors.Invalid("PATCH /n: 422 spec.grants: too many", status=422), "please report it"),
        (errors.Unavailable("PATCH /n: no answer in time; is the API server overloaded?"), "the API server's health"),
        (errors.Conflict("POST /b: 409 pod is being deleted", status=409), "the API server's health"),
    ],
)
def test_sentence_says_the_way_out_of_each_kind_of_refusal(error: errors.KubernetesError, way_out: str) -> None:
    memory = refusals.Refusals()
    memory.failed(Write.BINDING, "uid-web", error, ["uid-web"])
    memory.failed(Write.BINDING, "uid-web", error, ["uid-web"])
    message = memory.waiting(known("web"), granted=())["uid-web"].message
    assert way_out in message
    assert str(error).partition(": ")[2].rstrip(".") in message
