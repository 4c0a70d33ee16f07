"""Connections that nobody would close any more.

asyncio does not close the socket of a TLS connection whose opening is cancelled before its handshake has begun; Python
says so when it collects the transport, in whatever test runs by then.
"""

import asyncio


async def closed() -> None:
    """Break every connection that the running loop still has, at the end of what used it."""
    loop = asyncio.get_running_loop()
    for transport in tuple(loop._transports.values()):  # type: ignore[attr-defined]  # of selector loops
        transport.abort()
    await asyncio.sleep(0)
