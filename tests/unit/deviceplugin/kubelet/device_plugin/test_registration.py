"""Sockets: whose they are, when they changed, which are left over."""

import asyncio
import pathlib
import shutil
import socket
import tempfile
from collections.abc import Iterator

import pytest

from neuronspan import names
from neuronspan_deviceplugin import errors, reasons
from neuronspan_deviceplugin.kubelet.device_plugin import registration


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """A folder with a short path: a socket's has at most 107 bytes."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="ns-"))
    yield path
    shutil.rmtree(path)


def _socket(path: pathlib.Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    return server


def test_sweep_removes_sockets_that_are_not_served_and_nothing_else(folder: pathlib.Path) -> None:
    _socket(folder / "neuronspan-cores-dead.sock").close()
    _socket(folder / "other-dead.sock").close()
    living = _socket(folder / "neuronspan-cores-living.sock")
    (folder / "kubelet_internal_checkpoint").touch()
    assert registration.sweep(folder) == ["neuronspan-cores-dead.sock"]
    assert {each.name for each in folder.iterdir()} == {
        "other-dead.sock",
        "neuronspan-cores-living.sock",
        "kubelet_internal_checkpoint",
    }
    living.close()


def test_socket_names_tell_resources_and_instances_apart() -> None:
    made = {registration.socket_name(resource, token) for resource in names.RESOURCES for token in "ab"}
    assert len(made) == 4


def test_fingerprint_is_only_of_sockets(folder: pathlib.Path) -> None:
    (folder / "file").touch()
    assert registration.fingerprint(folder / "file") is None
    assert registration.fingerprint(folder / "nothing") is None


LOSSES = {
    "nothing": ("", None),
    "kubelet restarted": ("kubelet.sock", reasons.RegistrationCause.KUBELET_RESTARTED),
    "own socket replaced": ("own.sock", reasons.RegistrationCause.SOCKET_GONE),
}


@pytest.mark.parametrize(("replaced", "lost"), LOSSES.values(), ids=LOSSES.keys())
def test_loss_is_seen_when(folder: pathlib.Path, replaced: str, lost: reasons.RegistrationCause | None) -> None:
    servers = [_socket(folder / name) for name in ("kubelet.sock", "own.sock")]
    watched = registration.Watched.now(folder / "kubelet.sock", folder / "own.sock")
    if replaced:
        (folder / replaced).unlink()
        servers.append(_socket(folder / replaced))
    assert watched.lost() is lost
    for server in servers:
        server.close()


def test_kubelet_that_is_away_is_no_loss_but_a_missing_own_socket_is(folder: pathlib.Path) -> None:
    servers = [_socket(folder / name) for name in ("kubelet.sock", "own.sock")]
    watched = registration.Watched.now(folder / "kubelet.sock", folder / "own.sock")
    (folder / "kubelet.sock").unlink()
    assert watched.lost() is None
    (folder / "own.sock").unlink()
    assert watched.lost() is reasons.RegistrationCause.SOCKET_GONE
    for server in servers:
        server.close()


async def test_lost_stream_ends_the_wait(folder: pathlib.Path) -> None:
    watched = registration.Watched.now(folder / "kubelet.sock", folder / "own.sock")
    lost = asyncio.Event()

    async def stream() -> None:
        await lost.wait()

    wait = asyncio.create_task(registration.until_lost(watched, stream, 0.01))
    lost.set()
    async with asyncio.timeout(5):
        assert await wait is reasons.RegistrationCause.STREAM_LOST


async def test_pause_ends_early_when_a_new_kubelet_is_there(folder: pathlib.Path) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            _socket(folder / "kubelet.sock").close()

    await registration.pause(folder / "kubelet.sock", 10.0, 1.0, sleep)
    assert slept == [1.0, 1.0, 1.0]


async def test_pause_is_as_long_as_asked_when_kubelet_stays_the_same(folder: pathlib.Path) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    await registration.pause(folder / "kubelet.sock", 2.5, 1.0, sleep)
    assert sum(slept) == 2.5


def test_path_that_is_too_long_is_refused_with_the_way_out() -> None:
    registration.check_path(pathlib.Path("/" + "a" * 106))
    with pytest.raises(errors.RegistrationFailed, match="shorter kubelet directory"):
        registration.check_path(pathlib.Path("/" + "a" * 107))


async def test_attempt_is_given_up_when_kubelet_is_replaced_under_it(folder: pathlib.Path) -> None:
    """A kubelet that ends in the middle of Register never answers; its successor must not wait for our deadline."""
    servers = [_socket(folder / name) for name in ("kubelet.sock", "own.sock")]
    watched = registration.Watched.now(folder / "kubelet.sock", folder / "own.sock")
    reached = asyncio.Event()

    async def attempt() -> None:
        reached.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(registration.unless_changed(watched, attempt(), 0.01))
    await reached.wait()
    (folder / "kubelet.sock").unlink()
    servers.append(_socket(folder / "kubelet.sock"))
    with pytest.raises(errors.RegistrationFailed, match="kubelet-restarted"):
        async with asyncio.timeout(5):
            await task
    for server in servers:
        server.close()


async def test_attempt_that_fails_says_why(folder: pathlib.Path) -> None:
    watched = registration.Watched.now(folder / "kubelet.sock", folder / "own.sock")

    async def attempt() -> None:
        raise errors.RegistrationFailed("refused")

    with pytest.raises(errors.RegistrationFailed, match="refused"):
        await registration.unless_changed(watched, attempt(), 0.01)
