"""Starts the node agent: read the settings, log them, build, run. No decision."""

import asyncio
import logging
import signal
import sys

from neuronspan_agent import errors, kube, logs, settings
from neuronspan_deviceplugin import config, outside, supervisor

_log = logging.getLogger(__name__)


def main() -> None:
    """Run until SIGTERM or SIGINT; exit status 2 for wrong settings, 1 when the agent cannot go on."""
    try:
        chosen = config.load(sys.argv[1:], settings.from_process())
    except errors.InvalidSettings as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    logs.configure(chosen.log_level, chosen.log_format, always={"node": chosen.node_name})
    _log.info("settings", extra=settings.effective(chosen))
    try:
        asyncio.run(_run(chosen))
    except errors.AgentError as error:
        _log.error("stopped", extra={"error": str(error)})
        sys.exit(1)


async def _run(chosen: config.Settings) -> None:
    async with await kube.connect(config.PROGRAM, chosen.kubeconfig) as client:
        agent = supervisor.Supervisor(chosen, client, outside.Outside())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, agent.stop)
        await agent.run()


if __name__ == "__main__":
    main()
