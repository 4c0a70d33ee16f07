"""Which connections stay, on virtual time and without sockets: deadlines, and who gives way."""

import asyncio

import hypothesis
import pytest
from hypothesis import strategies

from neuronspan_agent.serving import connections

BOUNDS = connections.Bounds(connections=3, request_seconds=10, idle_seconds=100)


class Socket(asyncio.Transport):
    """Tells whether it was broken, and its protocol, as asyncio does."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.protocol = protocol
        self._broken = False
        protocol.connection_made(self)

    def broken(self) -> bool:
        return self._broken

    def abort(self) -> None:
        self._broken = True
        self.protocol.connection_lost(None)


class Kept:
    """Connections, and what is behind each of them."""

    def __init__(self, bounds: connections.Bounds = BOUNDS) -> None:
        self.answering: list[asyncio.Protocol] = []
        self.connections = connections.Connections(bounds, self._protocol, None)

    def _protocol(self) -> asyncio.Protocol:
        self.answering.append(asyncio.Protocol())
        return self.answering[-1]

    def connect(self, count: int = 1) -> list[Socket]:
        return [Socket(self.connections.accept()) for _ in range(count)]


async def test_connection_that_says_nothing_is_ended() -> None:
    kept = Kept()
    (silent,) = kept.connect()
    await asyncio.sleep(9)
    assert not silent.broken()
    await asyncio.sleep(2)
    assert silent.broken()
    assert len(kept.connections) == 0


async def test_one_that_works_has_no_deadline_and_is_kept_alive_afterwards() -> None:
    kept = Kept()
    (busy,) = kept.connect()
    with kept.connections.working(kept.answering[0]):
        await asyncio.sleep(1000)
    await asyncio.sleep(99)
    assert not busy.broken()
    await asyncio.sleep(2)
    assert busy.broken()


async def test_the_oldest_that_waits_gives_way_and_who_works_stays() -> None:
    kept = Kept()
    first, second, third = kept.connect(3)
    with kept.connections.working(kept.answering[0]):
        (fourth,) = kept.connect()
    assert [each.broken() for each in (first, second, third, fourth)] == [False, True, False, False]
    kept.connect()
    assert [each.broken() for each in (first, third, fourth)] == [
        False,
        True,
        False,
    ]  # the first waits since its answer


async def test_the_oldest_gives_way_when_all_work() -> None:
    kept = Kept()
    first, *_ = kept.connect(3)
    with (
        kept.connections.working(kept.answering[0]),
        kept.connections.working(kept.answering[1]),
        kept.connections.working(kept.answering[2]),
    ):
        (fourth,) = kept.connect()
        assert (first.broken(), fourth.broken()) == (True, False)
    assert len(kept.connections) == 3


async def test_answer_for_one_that_is_gone_brings_nothing_back() -> None:
    kept = Kept()
    (gone,) = kept.connect()
    gone.abort()
    with kept.connections.working(kept.answering[0]):
        pass
    assert len(kept.connections) == 0


async def test_close_ends_all() -> None:
    kept = Kept()
    sockets = kept.connect(3)
    kept.connections.close()
    assert [each.broken() for each in sockets] == [True] * 3
    assert len(kept.connections) == 0


class _Behind(asyncio.Protocol):
    def __init__(self) -> None:
        self.heard: list[object] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.heard.append(type(transport))

    def data_received(self, data: bytes) -> None:
        self.heard.append(data)

    def eof_received(self) -> bool:
        self.heard.append("end")
        return True

    def pause_writing(self) -> None:
        self.heard.append("pause")

    def resume_writing(self) -> None:
        self.heard.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.heard.append(exc)


async def test_everything_reaches_the_protocol_behind() -> None:
    behind = _Behind()
    protocol = connections.Connections(BOUNDS, lambda: behind, None).accept()
    there = Socket(protocol)
    protocol.data_received(b"GET")
    protocol.pause_writing()
    protocol.resume_writing()
    assert protocol.eof_received()
    there.abort()
    assert behind.heard == [Socket, b"GET", "pause", "resume", "end", None]


STEPS = strategies.lists(
    strategies.one_of(
        strategies.just(("connect", 0)),
        strategies.tuples(strategies.sampled_from(["work", "rest", "leave", "wait"]), strategies.integers(0, 9)),
    ),
    max_size=40,
)


@pytest.mark.parametrize("most", [1, 3])
@hypothesis.given(steps=STEPS)
@hypothesis.settings(deadline=None)
def test_there_are_never_too_many_and_the_newest_is_always_in(most: int, steps: list[tuple[str, int]]) -> None:
    async def play() -> None:
        kept = Kept(connections.Bounds(connections=most))
        sockets: list[Socket] = []
        working = {}
        for step, which in steps:
            if step == "connect":
                sockets += kept.connect()
                assert not sockets[-1].broken()
            elif step == "wait":
                await asyncio.sleep(0)
            elif which < len(sockets):
                if step == "leave" and not sockets[which].broken():
                    sockets[which].abort()
                elif step == "work" and which not in working:
                    working[which] = kept.connections.working(kept.answering[which])
                    working[which].__enter__()
                elif step == "rest" and which in working:
                    working.pop(which).__exit__(None, None, None)
            assert len(kept.connections) == sum(not each.broken() for each in sockets) <= most
        kept.connections.close()

    asyncio.run(play())
