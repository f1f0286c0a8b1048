"""jobd's graceful shutdown after a signal.

    signal -> not ready, still serving for SHUTDOWN_DRAIN_WAIT -> no new connections -> running deliveries and requests end

Owns that order and its limits. Containers keep running in the engine; undelivered events stay in the database.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Sequence

from aiohttp import web

from jobd.app import App

REMOVALS_S = 15.0
"""How long jobd waits for the removal of deleted jobs; a busy engine removes slowly."""
UNDER_WAY_S = 5.0
"""How long running deliveries, requests and submissions each have to end, once jobd accepts no new ones."""

Tasks = Sequence[asyncio.Task[None]]

log = logging.getLogger(__name__)


class Signals:
    """SIGTERM and SIGINT: the first signal stops jobd, the second one skips the drain wait. SIGHUP sets `reload`, or stops a jobd whose
    terminal has closed.
    """

    def __init__(self) -> None:
        self.stop, self.at_once, self.reload = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._has_terminal = sys.stderr.isatty()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._given)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up)

    def _given(self) -> None:
        (self.at_once if self.stop.is_set() else self.stop).set()

    def _hung_up(self) -> None:
        if self._has_terminal and not sys.stderr.isatty():
            self._given()
        else:
            self.reload.set()


async def until(event: asyncio.Event, tasks: Tasks) -> None:
    """Returns when the event is set.

    Raises:
        Exception: one of `tasks` failed.
    """
    stop_waiter = asyncio.create_task(event.wait())
    try:
        pending: set[asyncio.Task[object]] = {stop_waiter, *tasks}
        while not event.is_set():
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        stop_waiter.cancel()


async def drain(app: App, signals: Signals, tasks: Tasks, wait_s: float) -> None:
    """Reports not ready and keeps serving for `wait_s`, or until the second signal, so that load balancers stop sending first."""
    app.health.stopping = True
    log.info("stopping", extra={"action": "stop", "jobs": len(app.jobs.supervisors), "drain_s": wait_s})
    try:
        async with asyncio.timeout(wait_s):
            await until(signals.at_once, tasks)
    except TimeoutError:
        pass


async def shut_down(app: App, api: web.AppRunner, metrics_api: web.AppRunner, tasks: Tasks) -> None:
    """Stops listening, waits for running work, then ends the tasks."""
    for site in list(api.sites):
        await site.stop()
    if left := await app.jobs.supervisors.removed(REMOVALS_S):
        log.warning("deleted jobs remain until the next start", extra={"action": "stop", "count": left})
    await app.events.dispatcher.drain(UNDER_WAY_S)
    await app.jobs.supervisors.stop()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await api.cleanup()
    await app.jobs.submitter.settled(UNDER_WAY_S)
    await metrics_api.cleanup()
    log.info("stopped", extra={"action": "stop"})
