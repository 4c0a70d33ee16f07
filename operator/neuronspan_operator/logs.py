"""How the operator logs: to standard error, one line per message."""

import datetime as dt
import json
import logging


class JsonFormatter(logging.Formatter):
    """One JSON object per message; ``object`` is the Kubernetes object that kopf logs about."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if reference := record.__dict__.get("k8s_ref"):
            line["object"] = reference
        return json.dumps(line, default=str)


def configure(level: str, line_format: str) -> None:
    """Set up logging for the whole process."""
    handler = logging.StreamHandler()
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if line_format == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # kopf warns at every start that it does not get the signals; it has a thread of its own so that it does not
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    logging.getLogger("kopf.objects").setLevel(logging.INFO)  # its debug level repeats every object
