"""What agents share: its unit tests run on virtual time."""

import asyncio
from collections.abc import Mapping

from kits.world import virtual_time


def pytest_asyncio_loop_factories() -> Mapping[str, type[asyncio.AbstractEventLoop]]:
    """Give every async test here a loop whose clock jumps."""
    return virtual_time.LOOP_FACTORIES
