"""Where the time of the measured processes went: samples of the operator's stacks, the API server's own profile.

`python -m performance.cluster.profiling <file> <arguments of the operator>` is the operator with a sampler beside it.
"""

import collections
import pathlib
import ssl
import sys
import threading
import time
import types
import urllib.request
from collections.abc import Iterator

from kits.api_server import control_plane as control_plane_kit

_SECONDS_PER_SAMPLE = 0.005
_SAMPLES_PER_REPORT = 200
_WAITS = frozenset({"select", "wait", "poll", "_worker", "_wait_for_tstate_lock", "accept", "get"})
"""Functions of the standard library in which a thread waits."""
_SHOWN = 60
_PARTS_OF_PATH = 3


def operator(report: pathlib.Path) -> list[str]:
    """Return how Python starts the operator with a sampler that writes this file."""
    return ["-m", __name__, str(report)]


def save_apiserver_profile(plane: control_plane_kit.ControlPlane, seconds: int, path: pathlib.Path) -> None:
    """Let the API server profile itself for so long, and save it for `go tool pprof -top`."""
    headers = {"Authorization": f"Bearer {control_plane_kit.ADMIN_TOKEN}"}
    request = urllib.request.Request(f"{plane.url}/debug/pprof/profile?seconds={seconds}", headers=headers)  # noqa: S310
    context = ssl.create_default_context(cafile=plane.authority)
    with urllib.request.urlopen(request, context=context, timeout=seconds + 60) as answer:  # noqa: S310 - our own
        path.write_bytes(answer.read())


class Sampler:
    """Counts in which functions the threads of this process are, every few milliseconds."""

    def __init__(self) -> None:
        self.samples = 0
        self._own: collections.Counter[str] = collections.Counter()
        self._with_callees: collections.Counter[str] = collections.Counter()

    def sample(self, me: int) -> None:
        """Look at all threads but one."""
        for thread, frame in sys._current_frames().items():
            if thread != me and frame.f_code.co_name not in _WAITS:
                self._count(frame)

    def report(self) -> str:
        """Return a table: share of the samples in a function itself, and in it and what it calls."""
        total = max(self.samples, 1)
        lines = [f"{self.samples} samples of threads at work", "own    total  function"]
        for name, count in self._with_callees.most_common(_SHOWN):
            lines.append(f"{self._own[name] / total:6.1%} {count / total:6.1%} {name}")
        return "\n".join(lines) + "\n"

    def _count(self, frame: types.FrameType) -> None:
        self.samples += 1
        names = [_name(each) for each in _callers(frame)]
        self._own[names[0]] += 1
        self._with_callees.update(set(names))


def _name(frame: types.FrameType) -> str:
    """Return a function with the end of its file's path: enough to find it."""
    path = pathlib.PurePath(frame.f_code.co_filename)
    return f"{'/'.join(path.parts[-_PARTS_OF_PATH:])}:{frame.f_code.co_qualname}"


def _callers(frame: types.FrameType | None) -> Iterator[types.FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _watch(path: pathlib.Path) -> None:
    sampler, me = Sampler(), threading.get_ident()
    while True:
        for _ in range(_SAMPLES_PER_REPORT):
            time.sleep(_SECONDS_PER_SAMPLE)  # the pace of the samples
            sampler.sample(me)
        path.write_text(sampler.report(), encoding="utf-8")  # again and again: the process is killed in the end


def main() -> None:
    """Run the operator with a sampler beside it."""
    from neuronspan_operator import __main__ as program  # noqa: PLC0415 - after the sampler has its arguments

    path = pathlib.Path(sys.argv.pop(1))
    threading.Thread(target=_watch, args=(path,), daemon=True).start()
    program.main()


if __name__ == "__main__":
    main()
