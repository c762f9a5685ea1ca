"""The gateway's process: its pools, its HTTP server, its schedules, its health, and a clean stop.

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
from functions.shared.clock import Clock, open_clock
from functions.shared.settings import split_address
from infra.local.gateway.app import Gateway
from infra.local.gateway.pool import Pool
from infra.local.gateway.schedules import Scheduler
from infra.local.gateway.template import Function, Template, read_template
from infra.local.gateway.turns import Turns

WORKERS = 4
SCHEDULE_WORKERS = 1  # of their own, so that no request waits for a job
STOP_SECONDS = 3.0
#: Passwords hashed at once: half the workers, 19 MiB each. A hash takes some 30 ms, so that the
#: last of those who wait is answered within a second.
PASSWORDS_AT_ONCE = WORKERS // 2
PASSWORDS_WAITING_MOST = 50


def serve(listen: str, health: str, clock: str, log_level: str) -> int:
    """Serves until SIGTERM or SIGINT. Raises TemplateError, SettingsError, OSError."""
    configure_logging("api", log_level)
    template = read_template()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(listen, health, open_clock(clock), template))


async def _serve(listen: str, health: str, clock: Clock, template: Template) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    pool, jobs = Pool(WORKERS), Pool(SCHEDULE_WORKERS)
    passwords = Turns(PASSWORDS_AT_ONCE, PASSWORDS_WAITING_MOST)
    ready = False

    def state() -> tuple[bool, str]:
        return ready, "" if ready else "the workers are starting"

    Gauge("api_idle_workers", "Workers that wait for a request").set_function(lambda: pool.idle)
    Gauge("api_waiting_requests", "Requests that wait").set_function(lambda: pool.waiting)
    Gauge("api_waiting_passwords", "Logins that wait").set_function(lambda: passwords.waiting)
    health_server = serve_health(health, "api", state)
    host, port = split_address(listen)
    server = Server(
        Gateway(template, pool, passwords),
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,
    )
    try:
        await pool.start()
        await jobs.start()
        serving = asyncio.create_task(server.serve())
        stopped = asyncio.create_task(stop.wait())
        warming = asyncio.create_task(pool.warm(_asked_for(template)))
        scheduling = asyncio.create_task(Scheduler(template.schedules, jobs, clock).run())
        ready = True
        await asyncio.wait({serving, scheduling, stopped}, return_when=asyncio.FIRST_COMPLETED)
        warming.cancel()
        for name, task in (("http", serving), ("schedules", scheduling)):
            if task.done():
                logger(__name__).error("a task ended", task=name, error=str(task.exception()))
                return 1
        scheduling.cancel()
        server.stop()  # type: ignore[no-untyped-call]
        with contextlib.suppress(TimeoutError):  # a client that never ends is cut
            await asyncio.wait_for(serving, STOP_SECONDS)
        return 0
    finally:
        pool.close()
        jobs.close()
        health_server.close()


def _asked_for(template: Template) -> list[Function]:
    """What a request may call; a job's function is loaded by its own worker when it first runs."""
    called = {f for route in template.routes for f in (route.function, route.authorizer) if f}
    return [function for function in template.functions if function in called]
