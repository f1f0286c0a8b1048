"""Runs the daemon: state, listeners, background tasks.

Owns the order of the start, and every background task. `shutdown.py` ends the daemon.
"""

import asyncio
import gc
import logging
import os
import socket
import sys

from jobd.app import build
from jobd.composition.instrument import Instrument
from jobd.errors import ConfigError
from jobd.health.about import VERSION
from jobd.jobs.port.errors import EngineError
from jobd.jobs.retention.retention import Retention
from jobd.process import logs
from jobd.process.kernel_scheduling import ask_for_short_turns, ask_for_weight
from jobd.process.listeners import address_of, inherited, runner_of, serve_on, tcp_listener, unix_listener
from jobd.process.log_file import LogFile
from jobd.process.notify import ServiceManager
from jobd.process.recovery import recover
from jobd.process.reload import Reloader, Start
from jobd.process.shutdown import UNDER_WAY_S, Signals, drain, shut_down, until
from jobd.process.state_folder import api_key, instance_name, open_state
from jobd.process.tls import ListenerTls, server_context
from jobd.settings.config import Config, from_mapping
from jobd.settings.sources import Sources
from jobd.store.errors import StateLocked, StoreError
from jobd.store.sqlite.lock import StateLock
from jobd.store.sqlite.reserve import Reserve
from jobd.store.store import Store

LEFTOVERS_AGAIN_S = 60.0

log = logging.getLogger(__name__)


SWITCH_INTERVAL_S = 0.0005
"""How long a thread may compute before the event loop gets the interpreter. With Python's 5 ms, several calls to the engine at once,
each in its thread, hold the loop up for tens of milliseconds.
"""


async def serve(sources: Sources, instrument: Instrument | None = None) -> int:
    """Runs jobd until SIGTERM or SIGINT; returns the exit code. Only tests pass an `instrument`.

    Raises:
        ConfigError: jobd cannot start with these settings.
    """
    values = sources.values()
    config = from_mapping(values)
    log_file = None if config.log_file is None else LogFile(config.log_file)
    logs.set_up(config.log_level, config.log_format, log_file)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    ask_for_short_turns()
    ask_for_weight()
    folder = open_state(config.state_dir)
    try:
        with StateLock(folder.path):
            store = await Store.open(folder.database, reserve=Reserve(folder.reserve))
            if store.warning:
                log.error("the database's log is damaged", extra={"action": "start", "error": store.warning})
            try:
                await _serve(Start(sources, values, config, folder, log_file), store, instrument)
            finally:
                await store.close()
    except StateLocked as error:
        raise ConfigError([f"JOBD_STATE_DIR: {error}"]) from None
    except StoreError as error:
        log.error("store unusable", extra={"action": "start", "error": str(error)})
        return 1
    return 0


async def _serve(start: Start, store: Store, instrument: Instrument | None) -> None:
    config, folder = start.config, start.folder
    manager = ServiceManager(os.environ)
    signals = Signals()
    key = None if config.no_auth else api_key(folder, config.api_key_file)
    tls = None
    if config.tls_cert_file is not None:
        tls = ListenerTls(server_context(config.tls_cert_file, config.tls_key_file or config.tls_cert_file))
    tcp = tcp_listener(config.host, config.port, "PORT")
    metrics = tcp_listener(config.metrics_host, config.metrics_port, "METRICS_PORT")
    inherited_sockets = [sock for sock in inherited(os.environ) if sock.family == socket.AF_UNIX]
    unix = inherited_sockets or [unix_listener(config.socket)]
    app = build(
        config,
        folder=folder,
        store=store,
        instance=instance_name(folder),
        api_key=key,
        own_addresses=frozenset({address_of(tcp), address_of(metrics)}),
        instrument=instrument,
    )
    reloader = Reloader(start, app, tls)
    api = runner_of(app.api, UNDER_WAY_S)
    metrics_api = runner_of(app.metrics_api, 1.0)
    # The objects of now live until the end: each full collection would look at all of them, for some 20 ms in which nothing else runs.
    # Not so those of the recovery: a supervisor leaves memory with its job's end, by a collection, since it is part of a cycle.
    gc.collect()
    gc.freeze()
    # No collection finds anything in a recovery, and each looks at all jobs so far: a fifth of the processor time of a start with 10,000
    # waiting jobs.
    gc.disable()
    try:
        await app.jobs.engine_monitor.ask()
        await recover(app.jobs, app.store, folder, app.observer)
        await api.setup()
        await metrics_api.setup()
        tasks = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("dispatcher", app.events.dispatcher.run()),
                ("hints", app.jobs.engine_monitor.listen()),
                ("ask engine", app.jobs.engine_monitor.keep_asking()),
                ("retention", app.jobs.retention.run()),
                ("orphans", _remove_orphans(app.jobs.retention)),
                ("watchdog", _watchdog(manager)),
            )
        ]
        await serve_on(api, *unix)
        await serve_on(api, tcp, context=tls.context if tls else None)
        await serve_on(metrics_api, metrics)
        gc.enable()
        _say_where(config, tcp.getsockname(), metrics.getsockname())
        manager.ready()
        tasks.append(asyncio.create_task(reloader.run(signals.reload, manager), name="reload"))
        await until(signals.stop, tasks)
        manager.stopping()
        await drain(app, signals, tasks, reloader.config.shutdown_drain_s)
        await shut_down(app, api, metrics_api, tasks)
    finally:
        gc.enable()
        await app.engine.close()
        await app.sender.close()
        if app.spans is not None:
            await asyncio.to_thread(app.spans.close)
        if not inherited_sockets:
            config.socket.unlink(missing_ok=True)


async def _remove_orphans(retention: Retention) -> None:
    while True:
        try:
            await retention.orphans.remove()
            await retention.sweep()
            return
        except (EngineError, StoreError) as error:
            log.warning("orphans not removed yet", extra={"action": "remove-orphans", "error": str(error)})
            await asyncio.sleep(LEFTOVERS_AGAIN_S)


async def _watchdog(manager: ServiceManager) -> None:
    while manager.watchdog_s:
        manager.alive()
        await asyncio.sleep(manager.watchdog_s / 3)


def _say_where(config: Config, tcp: tuple[str, int], metrics: tuple[str, int]) -> None:
    log.info(
        "jobd is ready",
        extra={
            "action": "start",
            "version": VERSION,
            "socket": str(config.socket),
            "http": f"{'https' if config.tls_cert_file else 'http'}://{tcp[0]}:{tcp[1]}",
            "metrics": f"http://{metrics[0]}:{metrics[1]}/metrics",
            "state": str(config.state_dir),
            "auth": "none" if config.no_auth else "key",
        },
    )
