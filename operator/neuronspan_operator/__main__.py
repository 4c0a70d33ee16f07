"""Reads and shows the settings, then runs the operator."""

import asyncio
import sys

from neuronspan_operator import application, config, errors, logs


async def _run(settings: config.Settings) -> None:
    await application.Application(settings).run()


def main() -> None:
    """Run the operator until SIGTERM; an error of the settings or of a part is printed, with exit status 1."""
    try:
        settings = config.from_process(sys.argv[1:])
        print(config.describe(settings), flush=True)
        logs.configure(settings.log_level, settings.log_format)
        asyncio.run(_run(settings))
    except errors.OperatorError as error:
        sys.exit(f"neuronspan-operator: {error}")


if __name__ == "__main__":
    main()
