"""Starts the operator: read the settings, log them, run. No decision."""

import asyncio
import logging
import sys

from neuronspan_agent import errors, logs, settings
from neuronspan_operator import application, config
from neuronspan_operator.pools import handlers

_log = logging.getLogger(__name__)


async def _run(chosen: config.Settings) -> None:
    await application.Application(chosen).run()


def main() -> None:
    """Run the operator until SIGTERM; exit status 1, with a reason in words, when it cannot start or go on."""
    try:
        chosen = config.load(sys.argv[1:], settings.from_process())
    except errors.InvalidSettings as error:
        sys.exit(f"{config.PROGRAM}: {error}")
    logs.configure(chosen.log_level, chosen.log_format, hidden=handlers.HIDDEN_FIELDS, renamed=handlers.RENAMED_FIELDS)
    _log.info("settings", extra=settings.effective(chosen))
    try:
        asyncio.run(_run(chosen))
    except errors.AgentError as error:
        _log.error("stopped", extra={"error": str(error)})
        sys.exit(1)


if __name__ == "__main__":
    main()
