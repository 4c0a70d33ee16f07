"""Starts the node agent: read the settings, print them, build, run. No decision."""

import asyncio
import logging
import signal
import sys

from neuronspan_deviceplugin import config, errors, kube, logs, outside, supervisor


def main() -> None:
    """Run until SIGTERM or SIGINT; exit status 2 for wrong settings, 1 when the agent cannot go on."""
    try:
        settings = config.load()
    except errors.InvalidSettings as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    logs.configure(settings.log_level, settings.log_format)
    logging.getLogger(__name__).info("settings", extra=settings.effective())
    try:
        asyncio.run(_run(settings))
    except errors.DevicePluginError as error:
        logging.getLogger(__name__).error("stopped", extra={"error": str(error)})  # noqa: TRY400 - its words say it all
        sys.exit(1)


async def _run(settings: config.Settings) -> None:
    door = await kube.connect(settings.node_name, settings.kubeconfig)
    try:
        agent = supervisor.Supervisor(settings, door, outside.Outside())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, agent.stop)
        await agent.run()
    finally:
        await door.close()


if __name__ == "__main__":
    main()
