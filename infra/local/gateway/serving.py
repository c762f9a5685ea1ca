"""The gateway's process: its pool, its HTTP server, its health, and a clean stop.

Invariant: it is ready once its workers can be leased; on SIGTERM it takes no new connection, and
what is under way has STOP_SECONDS to end.
"""

import asyncio
import contextlib
import signal

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from prometheus_client import Gauge

from edge.runtime.health import serve_health
from edge.runtime.log import configure_logging, logger
from functions.shared.settings import split_address
from infra.local.gateway.app import Gateway
from infra.local.gateway.pool import Pool
from infra.local.gateway.template import Template, read_template

WORKERS = 4
STOP_SECONDS = 3.0


def serve(listen: str, health: str, log_level: str) -> int:
    """Serves until SIGTERM or SIGINT. Raises TemplateError, SettingsError, OSError."""
    configure_logging("api", log_level)
    template = read_template()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(listen, health, template))


async def _serve(listen: str, health: str, template: Template) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    pool = Pool(WORKERS)
    ready = False

    def state() -> tuple[bool, str]:
        return ready, "" if ready else "the workers are starting"

    Gauge("api_idle_workers", "Workers that wait for a request").set_function(lambda: pool.idle)
    Gauge("api_waiting_requests", "Requests that wait").set_function(lambda: pool.waiting)
    health_server = serve_health(health, "api", state)
    host, port = split_address(listen)
    server = Server(
        Gateway(template, pool),
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,
    )
    try:
        await pool.start()
        serving = asyncio.create_task(server.serve())
        stopped = asyncio.create_task(stop.wait())
        warming = asyncio.create_task(pool.warm(template.functions))
        ready = True
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        warming.cancel()
        if serving.done():
            logger(__name__).error("the HTTP server ended", error=str(serving.exception()))
            return 1
        server.stop()  # type: ignore[no-untyped-call]
        with contextlib.suppress(TimeoutError):  # a client that never ends is cut
            await asyncio.wait_for(serving, STOP_SECONDS)
        return 0
    finally:
        pool.close()
        health_server.close()
