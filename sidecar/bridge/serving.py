"""A media process's internal interface, from its start until it is asked to stop."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

from aiohttp import web


async def serve(
    application: web.Application,
    *,
    host: str,
    port: int,
    start: Callable[[], None],
    stop: Callable[[], Awaitable[None]],
    listens: Callable[[str], str],
) -> None:
    """Serve until SIGTERM or SIGINT. listens: the line that says so on standard output, from the address in use."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port, shutdown_timeout=0.2).start()
    start()
    address, bound = runner.addresses[0][:2]
    print(listens(f"{address}:{bound}"), flush=True)  # noqa: T201
    await stopping.wait()
    await stop()
    await runner.cleanup()
