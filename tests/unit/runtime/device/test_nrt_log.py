import datetime as dt
import errno
import io
import re
import sys

import pytest

from neuronspan import visible_cores
from neuronspan_runtime.device import nrt_log

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=dt.UTC)
PREFIX = r"\d{4}-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d\.0\d{3} \d+:\d+ ERROR   NRT:nrt_init {32}"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        pytest.param(
            visible_cores.not_available_text(4, 0),
            "NRT:nrt_allocate_neuron_cores               NeuronCore(s) not available - Requested:4 Available:0",
            id="a text that names its function",
        ),
        pytest.param("no luck", "NRT:nrt_init" + 32 * " " + "no luck", id="any other text"),
    ],
)
def test_line_has_the_shape_of_the_real_log(text: str, rest: str) -> None:
    assert nrt_log.line(text, now=NOW, process=7, thread=8) == "2026-Jan-02 03:04:05.0678 7:8 ERROR   " + rest


def test_error_writes_one_line_per_text_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    nrt_log.error("first", "second")
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(PREFIX + "first", lines[0])
    assert re.fullmatch(PREFIX + "second", lines[1])


@pytest.mark.parametrize(
    ("level", "errors", "warnings"), [("QUIET", 0, 0), ("ERROR", 1, 0), ("WARN", 1, 1), ("TRACE", 1, 1)]
)
def test_level_decides_what_is_written(
    level: str, errors: int, warnings: int, capsys: pytest.CaptureFixture[str]
) -> None:
    nrt_log.error("bad", level=level)
    nrt_log.warning("odd", level=level)
    lines = capsys.readouterr().err.splitlines()
    assert [len([line for line in lines if severity in line]) for severity in (" ERROR ", " WARN ")] == [
        errors,
        warnings,
    ]


def test_warnings_are_not_written_unless_they_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    nrt_log.warning("odd")
    assert not capsys.readouterr().err


class Full(io.StringIO):
    """A file on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, text)


@pytest.mark.parametrize("stream", [None, Full(), io.StringIO()], ids=["none", "full", "closed"])
def test_what_cannot_be_written_stops_nobody(stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if stream is not None and not isinstance(stream, Full):
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    nrt_log.error("bad")
    assert sys.stderr is stream
