"""Which connections stay, on virtual time and without sockets: deadlines, and who gives way."""

import asyncio

from kits.connecting import sockets
from neuronspan_agent.serving import connections


async def test_connection_that_says_nothing_is_ended() -> None:
    kept = sockets.Kept()
    (silent,) = kept.connect()
    await asyncio.sleep(9)
    assert not silent.broken()
    await asyncio.sleep(2)
    assert silent.broken()
    assert len(kept.connections) == 0


async def test_one_that_works_has_no_deadline_and_is_kept_alive_afterwards() -> None:
    kept = sockets.Kept()
    (busy,) = kept.connect()
    with kept.connections.working(kept.answering[0]):
        await asyncio.sleep(1000)
    await asyncio.sleep(99)
    assert not busy.broken()
    await asyncio.sleep(2)
    assert busy.broken()


async def test_the_oldest_that_waits_gives_way_and_who_works_stays() -> None:
    kept = sockets.Kept()
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
    kept = sockets.Kept()
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
    kept = sockets.Kept()
    (gone,) = kept.connect()
    gone.abort()
    with kept.connections.working(kept.answering[0]):
        pass
    assert len(kept.connections) == 0


async def test_close_ends_all() -> None:
    kept = sockets.Kept()
    made = kept.connect(3)
    kept.connections.close()
    assert [each.broken() for each in made] == [True] * 3
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
    protocol = connections.Connections(sockets.BOUNDS, lambda: behind, None).accept()
    there = sockets.Socket(protocol)
    protocol.data_received(b"GET")
    protocol.pause_writing()
    protocol.resume_writing()
    assert protocol.eof_received()
    there.abort()
    assert behind.heard == [sockets.Socket, b"GET", "pause", "resume", "end", None]
