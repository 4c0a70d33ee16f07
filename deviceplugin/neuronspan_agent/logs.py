"""The form of the log: one line per event, as JSON or as text, on standard error.

Law: an event's words are constant, its facts are fields (``extra``), so that lines can be searched: ``pod`` is
"namespace/name", as ``claim`` is, ``grant`` is "container:cores", ``node`` and ``pool`` are names, ``error`` says what
went wrong.
"""

import datetime as dt
import json
import logging
import re
import sys
from collections.abc import Collection, Mapping
from typing import Any

from pythonjsonlogger import core
from pythonjsonlogger import json as json_lines

from neuronspan import grants

LEVELS = ("debug", "info", "warning", "error")
JSON = "json"
TEXT = "text"
FORMATS = (TEXT, JSON)

_FIRST = ("asctime", "levelname", "name", "message")
_NAMES = {"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "exception"}
_PLAIN = re.compile(r'[^\s"=]+')
"""Values that a reader, or a program, cannot mistake for two fields."""


def configure(
    level: str,
    form: str,
    *,
    always: Mapping[str, str] | None = None,
    hidden: Collection[str] = (),
    renamed: Mapping[str, str] | None = None,
) -> None:
    """Send the log of the whole process to standard error; level and form are checked by the settings.

    ``always`` are fields of every line. Other libraries put attributes of their own on records: these are ``hidden``
    or ``renamed``.
    """
    handler = logging.StreamHandler(sys.stderr)
    formatter = JsonFormatter if form == JSON else TextFormatter
    handler.setFormatter(formatter(always=always, hidden=hidden, renamed=renamed))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def of_grant(grant: grants.Grant) -> dict[str, str]:
    """Return the fields that say which grant an event is about."""
    return {
        "pod": f"{grant.namespace}/{grant.pod}",
        "grant": f"{grant.container}:{grant.span}",
        "state": str(grant.state),
    }


class JsonFormatter(json_lines.JsonFormatter):
    """One JSON object per event: time, level, logger, message, then the fields."""

    def __init__(
        self,
        *,
        always: Mapping[str, str] | None = None,
        hidden: Collection[str] = (),
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            _FIRST,
            static_fields=dict(always or {}),
            rename_fields={**_NAMES, **(renamed or {})},
            reserved_attrs=[*core.RESERVED_ATTRS, *hidden],
            json_default=str,
            json_ensure_ascii=False,
        )

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's
        """Return the time of the event in UTC, as RFC 3339 with milliseconds."""
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of the line."""
        return {**log_data, "level": log_data["level"].lower()}


class TextFormatter(JsonFormatter):
    """Time, level, logger, words, then the fields as key=value; a traceback below."""

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """Return the line."""
        fields = dict(log_data)
        time, level, logger, words = (fields.pop(each) for each in ("time", "level", "logger", "message"))
        below = [fields.pop(each) for each in ("exception", "stack_info") if each in fields]
        facts = "".join(f" {key}={_quoted(value)}" for key, value in fields.items())
        return "\n".join([f"{time} {level:7} {logger}: {words}{facts}", *below])


def _quoted(value: Any) -> str:
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, default=str, ensure_ascii=False)
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
