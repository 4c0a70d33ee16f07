"""Fresh processes with torch and both Neuron packages imported, a few milliseconds each.

One parent imports everything once and never uses the device; every scenario runs in a fork of it, with an environment
of its own and the runtime not started. A scenario is a plain function of a test file; it returns or raises there.
"""

import contextlib
import dataclasses
import importlib.util
import inspect
import os
import pathlib
import pickle
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

SETTINGS = "NEURON"
"""Variables that begin so are taken out of the environment of every scenario before its own are put in."""

_BOOTSTRAP = """
import sys
sys.path[:] = sys.argv[2:]
from kits.device import neuron_processes
neuron_processes.main(int(sys.argv[1]))
"""


class ScenarioFailed(Exception):  # noqa: N818 - it says what happened in the other process
    """A scenario raised; `kind` and `text` are the error's, `log` is what it wrote to standard error."""

    def __init__(self, kind: str, text: str, trace: str, log: str) -> None:
        super().__init__(f"{kind}: {text}\n--- there ---\n{trace}{log}")
        self.kind = kind
        self.text = text
        self.log = log


@dataclasses.dataclass(frozen=True)
class Outcome(Generic[T]):
    """What a scenario returned and wrote to standard error."""

    value: T
    log: str


class Process(Generic[T]):
    """One scenario's process; it stays alive, with all it owns, until it is left."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._pid: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()
        if self._pid is not None:
            wait_gone(self._pid)

    @property
    def pid(self) -> int:
        """Its process ID, once its outcome is known."""
        assert self._pid is not None, "its outcome must be known first"
        return self._pid

    def kill(self) -> None:
        """Let it die at once, with what it owns."""
        os.kill(self.pid, signal.SIGKILL)
        wait_gone(self.pid)

    def outcome(self) -> Outcome[T]:
        """Wait for the end of the scenario. Raises ScenarioFailed when it raised, AssertionError when it died."""
        with self._channel.makefile("rb") as stream:
            try:
                self._pid, succeeded, content = pickle.load(stream)  # noqa: S301 - written by our own child
            except EOFError:
                raise AssertionError("the scenario's process died without an answer") from None
        if not succeeded:
            raise ScenarioFailed(*content)
        return Outcome(*content)


def wait_gone(pid: int) -> None:
    """Wait until a process, anybody's child, has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    select.select([descriptor], [], [])
    os.close(descriptor)


class Parent:
    """The process that forks the scenarios."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BOOTSTRAP, str(theirs.fileno()), *sys.path],
            pass_fds=[theirs.fileno()],
            # one thread, as a NeuronCore has: with more the CPU may round otherwise. Not torch.set_num_threads: torch's
            # autograd threads abort at times when they find a pool that was set before the fork.
            env={**os.environ, "OMP_NUM_THREADS": "1"},  # noqa: TID251 - the tests' own environment, with one change
        )
        theirs.close()

    def wait_ready(self) -> None:
        """Wait until it has imported everything."""
        assert self._control.recv(5) == b"ready", "the parent of the Neuron processes did not start"

    def close(self) -> None:
        """End it, also in the middle of an import."""
        self._control.close()
        self._process.kill()
        self._process.wait()

    def start(
        self, environment: Mapping[str, str], scenario: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> Process[T]:
        """Begin a scenario in a process of its own."""
        ours, theirs = socket.socketpair()
        request = (inspect.getfile(scenario), scenario.__name__, pickle.dumps((args, kwargs)), dict(environment))
        socket.send_fds(self._control, [pickle.dumps(request)], [theirs.fileno()])
        theirs.close()
        return Process(ours)

    def run(self, environment: Mapping[str, str], scenario: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a scenario in a process of its own and return what it returns."""
        with self.start(environment, scenario, *args, **kwargs) as process:
            return process.outcome().value


@contextlib.contextmanager
def parent() -> Iterator[Parent]:
    """Start the parent and end it."""
    running = Parent()
    try:
        running.wait_ready()
        yield running
    finally:
        running.close()


def _child(channel: socket.socket, request: bytes) -> None:
    """Run one scenario, answer, and stay until the other end is closed."""
    file, name, payload, variables = pickle.loads(request)  # noqa: S301 - written by the test's own process
    environ = os.environ  # noqa: TID251 - the environment of a fresh process is what the scenario is about
    for variable in [variable for variable in environ if variable.startswith(SETTINGS)]:
        del environ[variable]
    environ.update(variables)
    with tempfile.TemporaryFile("w+") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
        try:
            answer: tuple[bool, tuple[Any, ...]] = (True, (_called(_function(file, name), payload),))
        except BaseException as error:  # noqa: BLE001 - whatever it was, the test is told
            answer = (False, (type(error).__name__, str(error), traceback.format_exc()))
        sys.stderr.flush()
        log.seek(0)
        with channel.makefile("wb") as stream:
            pickle.dump((os.getpid(), answer[0], (*answer[1], log.read())), stream)
    channel.recv(1)


def _called(function: Callable[..., Any], payload: bytes) -> object:
    args, kwargs = pickle.loads(payload)  # noqa: S301 - written by the test's own process
    return function(*args, **kwargs)


def _function(file: str, name: str) -> Callable[..., Any]:
    path = pathlib.Path(file)
    specification = importlib.util.spec_from_file_location(f"scenarios_{path.stem}", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    function: Callable[..., Any] = getattr(module, name)
    return function


def main(descriptor: int) -> None:
    """Import what takes long, then fork a process for each request until the control socket is closed."""
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", r".*torch\.jit", DeprecationWarning)  # a program that loads a model hears it too
    warnings.filterwarnings("ignore", "This process", DeprecationWarning)  # newer Pythons count idle threads at a fork
    control = socket.socket(fileno=descriptor)
    for name in ("pytest", "torch_neuron", "torch_neuronx"):
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the children
    control.send(b"ready")
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 1)
        if not request:
            return
        with socket.socket(fileno=descriptors[0]) as channel:
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                control.close()
                try:
                    _child(channel, request)
                finally:
                    os._exit(0)
