"""A log line: constant words, and facts as fields that a search finds."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from kits.manifests import domain
from neuronspan_agent import logs


def record(**extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "agent", "levelname": "INFO", "msg": "steered", "created": 0.5})
    made.__dict__.update(extra)
    return made


def failed(**extra: object) -> logging.LogRecord:
    bug = ZeroDivisionError("a bug")
    return record(exc_info=(type(bug), bug, None), **extra)


def test_json_line_has_the_words_and_the_facts() -> None:
    line = json.loads(logs.JsonFormatter().format(record(pod="default/web", grant="app 4-7", cores={4, 5}.__class__)))
    assert list(line)[:4] == ["time", "level", "logger", "message"]
    assert (line["time"], line["level"], line["logger"]) == ("1970-01-01T00:00:00.500Z", "info", "agent")
    assert (line["message"], line["pod"], line["grant"]) == ("steered", "default/web", "app 4-7")
    assert line["cores"] == "<class 'set'>"
    assert len(line) == 7


def test_lines_carry_what_is_always_so() -> None:
    line = json.loads(logs.JsonFormatter(always={"node": "w1"}).format(record(pod="default/web")))
    assert (line["node"], line["pod"]) == ("w1", "default/web")
    text = logs.TextFormatter(always={"node": "w1"}).format(record(pod="default/web"))
    assert text.endswith("agent: steered node=w1 pod=default/web")


def test_grant_is_found_by_pod_container_and_cores() -> None:
    fields = logs.of_grant(domain.grant("4-7"))
    assert fields == {"pod": "default/web", "grant": "app:4-7", "state": "Granted"}


def test_json_line_carries_the_traceback_in_one_field() -> None:
    line = json.loads(logs.JsonFormatter().format(failed()))
    assert line["exception"].endswith("ZeroDivisionError: a bug")
    assert "exc_info" not in line


def test_json_line_hides_and_renames_what_other_libraries_add() -> None:
    formatter = logs.JsonFormatter(hidden=["k8s_skip"], renamed={"k8s_ref": "object"})
    line = json.loads(formatter.format(record(k8s_skip=True, k8s_ref={"name": "trn1"})))
    assert line["object"] == {"name": "trn1"}
    assert line.keys().isdisjoint({"k8s_skip", "k8s_ref"})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("4-7", "4-7"),
        ("default/web", "default/web"),
        ("no answer", '"no answer"'),
        ("", '""'),
        ('say "no"', r'"say \"no\""'),
        ("a=b", '"a=b"'),
        ("two\nlines", r'"two\nlines"'),
        (7, "7"),
        (["nc-4", "nc-5"], '["nc-4", "nc-5"]'),
    ],
)
def test_text_line_has_the_words_and_the_facts(value: object, shown: str) -> None:
    assert logs.TextFormatter().format(record(fact=value)) == (
        f"1970-01-01T00:00:00.500Z info    agent: steered fact={shown}"
    )


def test_text_line_has_its_traceback_below() -> None:
    first, *below = logs.TextFormatter().format(failed(pod="default/web")).splitlines()
    assert first == "1970-01-01T00:00:00.500Z info    agent: steered pod=default/web"
    assert below[-1] == "ZeroDivisionError: a bug"


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.mark.parametrize(
    ("form", "expected"), [(logs.JSON, logs.JsonFormatter), (logs.TEXT, logs.TextFormatter)], ids=logs.FORMATS[::-1]
)
def test_configure_sends_the_log_of_the_process_to_standard_error(
    root: logging.Logger, form: str, expected: type[logging.Formatter]
) -> None:
    logs.configure("warning", form)
    (handler,) = root.handlers
    assert root.level == logging.WARNING
    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.stderr
    assert type(handler.formatter) is expected
