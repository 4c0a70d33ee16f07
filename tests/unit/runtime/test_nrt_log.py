import datetime as dt
import re

import pytest

from neuronspan import visible_cores
from neuronspan_runtime import nrt_log

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
