"""One leader at a time, and none that only believes to be one. All on virtual time."""

import asyncio
import datetime as dt
from typing import Any

import pytest

from kits.embedded import in_memory
from neuronspan_agent import errors, resources
from neuronspan_operator.cluster import elector

CANDIDACY = elector.Candidacy("ns", "lease", "me")
OTHER = elector.Candidacy("ns", "lease", "other")


def now() -> dt.datetime:
    return dt.datetime(2026, 1, 31, 9, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds() - 1000)


class Candidate:
    """An elector that notes when it lost."""

    def __init__(self, server: in_memory.ApiServer, candidacy: elector.Candidacy = CANDIDACY) -> None:
        self.lost_at: float | None = None
        self.elector = elector.Elector(server, candidacy, on_lost=self._lose, now=now)

    def _lose(self) -> None:
        assert self.lost_at is None, "on_lost is called once"
        self.lost_at = asyncio.get_running_loop().time()


def seconds() -> float:
    return asyncio.get_running_loop().time()


def lease(server: in_memory.ApiServer) -> dict[str, Any]:
    spec: dict[str, Any] = server.stored(resources.LEASES, "lease", "ns")["spec"]
    return spec


@pytest.fixture
def server() -> in_memory.ApiServer:
    made = in_memory.ApiServer()
    made.put(resources.NAMESPACES, {"metadata": {"name": "ns"}})
    return made


async def test_candidate_creates_the_lease_when_there_is_none(server: in_memory.ApiServer) -> None:
    await Candidate(server).elector.acquire()
    spec = lease(server)
    assert spec["holderIdentity"] == "me"
    assert spec["leaseDurationSeconds"] == 15
    assert spec["renewTime"] == "2026-01-31T09:00:00.000000Z"


async def test_candidate_takes_over_only_after_the_lease_time_without_a_sign_of_life(
    server: in_memory.ApiServer,
) -> None:
    await Candidate(server, OTHER).elector.acquire()
    started = seconds()
    await Candidate(server).elector.acquire()
    assert 15 <= seconds() - started <= 17 + 1e-6
    assert lease(server)["holderIdentity"] == "me"
    assert lease(server)["leaseTransitions"] == 1


async def test_standby_waits_while_the_leader_renews(server: in_memory.ApiServer) -> None:
    leader = Candidate(server, OTHER)
    await leader.elector.acquire()
    keeping = asyncio.create_task(leader.elector.keep())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(300):
            await Candidate(server).elector.acquire()
    assert lease(server)["holderIdentity"] == "other"
    assert leader.lost_at is None
    keeping.cancel()


async def test_standby_takes_over_at_once_after_a_release(server: in_memory.ApiServer) -> None:
    leader = Candidate(server, OTHER)
    await leader.elector.acquire()
    await leader.elector.release()
    started = seconds()
    await Candidate(server).elector.acquire()
    assert seconds() == started


async def test_candidate_with_the_name_of_the_holder_goes_on_where_it_was(server: in_memory.ApiServer) -> None:
    """The container of a pod was restarted: the same name, no other process can have it."""
    await Candidate(server).elector.acquire()
    started = seconds()
    await Candidate(server).elector.acquire()
    assert seconds() == started
    assert lease(server)["leaseTransitions"] == 0


async def test_of_two_candidates_one_wins(server: in_memory.ApiServer) -> None:
    both = [asyncio.create_task(Candidate(server, who).elector.acquire()) for who in (CANDIDACY, OTHER)]
    done, waiting = await asyncio.wait(both, timeout=10)
    assert len(done) == 1
    for task in waiting:
        task.cancel()


@pytest.mark.parametrize(
    "trouble",
    [errors.Unavailable("down", status=503), errors.Conflict("another wrote", status=409)],
    ids=["down", "409"],
)
async def test_leader_survives_troubles_shorter_than_the_deadline(
    server: in_memory.ApiServer, trouble: errors.KubernetesError
) -> None:
    leader = Candidate(server)
    await leader.elector.acquire()
    server.fail("replace leases", *[trouble] * 3)
    keeping = asyncio.create_task(leader.elector.keep())
    await asyncio.sleep(60)
    assert leader.lost_at is None
    keeping.cancel()


@pytest.mark.parametrize("hangs", [True, False], ids=["server-hangs", "server-refuses"])
async def test_leader_gives_up_at_its_deadline_and_before_others_may_take_over(
    server: in_memory.ApiServer, *, hangs: bool
) -> None:
    leader = Candidate(server)
    await leader.elector.acquire()
    started = seconds()
    faults = [asyncio.Event() if hangs else errors.Unavailable("down") for _ in range(50)]
    server.fail("get leases", *faults)
    await leader.elector.keep()
    assert leader.lost_at is not None
    assert 10 <= leader.lost_at - started < 10.5


async def test_leader_counts_from_before_the_call_that_renewed(server: in_memory.ApiServer) -> None:
    """A slow answer must not lengthen the leadership: others count from when the server stored it."""
    leader = Candidate(server)
    await leader.elector.acquire()
    slow = asyncio.Event()
    asyncio.get_running_loop().call_later(3.5, slow.set)
    server.fail("replace leases", slow, *[errors.Unavailable("down")] * 50)
    started = seconds()
    await leader.elector.keep()
    assert leader.lost_at is not None
    assert leader.lost_at - started == pytest.approx(2 + 10)


async def test_leader_gives_up_at_once_when_somebody_else_holds_the_lease(server: in_memory.ApiServer) -> None:
    leader = Candidate(server)
    await leader.elector.acquire()
    taken = server.stored(resources.LEASES, "lease", "ns")
    taken["spec"]["holderIdentity"] = "thief"
    server.put(resources.LEASES, taken)
    started = seconds()
    await leader.elector.keep()
    assert leader.lost_at is not None
    assert leader.lost_at - started == pytest.approx(2)
    assert lease(server)["holderIdentity"] == "thief"


@pytest.mark.parametrize("trouble", [errors.Unavailable("down"), asyncio.Event], ids=["down", "hangs"])
async def test_release_is_no_trouble_when_the_server_is_away(server: in_memory.ApiServer, trouble: Any) -> None:
    leader = Candidate(server)
    await leader.elector.acquire()
    server.fail("get leases", trouble() if trouble is asyncio.Event else trouble)
    await leader.elector.release()
    assert lease(server)["holderIdentity"] == "me"


async def test_release_leaves_the_lease_of_somebody_else_alone(server: in_memory.ApiServer) -> None:
    await Candidate(server, OTHER).elector.acquire()
    await Candidate(server).elector.release()
    assert lease(server)["holderIdentity"] == "other"
