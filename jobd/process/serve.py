"""Running the daemon: state, listeners, the tasks that go on for ever.

Owns the order of the start, and every long-lived task. How it ends is in `shutdown.py`.
"""

import asyncio
import logging
import os
import socket

from jobd.app import VERSION, App, build
from jobd.errors import ConfigError
from jobd.jobs.port.errors import EngineError, RefusedByEngine
from jobd.jobs.secrets import SecretFiles
from jobd.jobs.state.states import Queued
from jobd.jobs.stored import readable
from jobd.process import logs
from jobd.process.listeners import address_of, inherited, runner_of, serve_on, tcp_listener, unix_listener
from jobd.process.notify import ServiceManager
from jobd.process.shutdown import UNDER_WAY_S, Signals, drain, shut_down, until
from jobd.process.state_folder import StateFolder, api_key, instance_name, open_state, remove_stale_uploads
from jobd.process.tls import server_context
from jobd.settings.config import Config
from jobd.store.errors import StateLocked, StoreError
from jobd.store.sqlite.lock import StateLock
from jobd.store.sqlite.reserve import Reserve
from jobd.store.store import Store

LEFTOVERS_AGAIN_S = 60.0

log = logging.getLogger(__name__)


async def serve(config: Config) -> int:
    """Runs jobd until SIGTERM or SIGINT; returns the exit code.

    Raises:
        ConfigError: it cannot start as it is set up.
    """
    logs.set_up(config.log_level, config.log_format)
    folder = open_state(config.state_dir)
    try:
        with StateLock(folder.path):
            store = await Store.open(folder.database, reserve=Reserve(folder.reserve))
            if store.warning:
                log.error("the database's log is damaged", extra={"action": "start", "error": store.warning})
            try:
                await _serve(config, folder, store)
            finally:
                await store.close()
    except StateLocked as error:
        raise ConfigError([f"JOBD_STATE_DIR: {error}"]) from None
    except StoreError as error:
        log.error("store unusable", extra={"action": "start", "error": str(error)})
        return 1
    return 0


async def _serve(config: Config, folder: StateFolder, store: Store) -> None:
    manager = ServiceManager(os.environ)
    signals = Signals()
    key = None if config.no_auth else api_key(folder, config.api_key_file)
    tls = None
    if config.tls_cert_file is not None:
        tls = server_context(config.tls_cert_file, config.tls_key_file or config.tls_cert_file)
    tcp = tcp_listener(config.host, config.port, "PORT")
    metrics = tcp_listener(config.metrics_host, config.metrics_port, "METRICS_PORT")
    given = [sock for sock in inherited(os.environ) if sock.family == socket.AF_UNIX]
    unix = given or [unix_listener(config.socket)]
    try:
        app = build(
            config,
            folder=folder,
            store=store,
            instance=instance_name(folder),
            api_key=key,
            own_addresses=frozenset({address_of(tcp), address_of(metrics)}),
        )
    except RefusedByEngine as error:
        raise ConfigError([f"DOCKER_HOST: {error}"]) from None
    api = runner_of(app.api, UNDER_WAY_S)
    metrics_api = runner_of(app.metrics_api, 1.0)
    try:
        await app.engine_monitor.ask()
        await _recover(app, folder)
        await api.setup()
        await metrics_api.setup()
        tasks = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("dispatcher", app.dispatcher.run()),
                ("hints", app.engine_monitor.listen()),
                ("ask engine", app.engine_monitor.keep_asking()),
                ("retention", app.retention.run()),
                ("leftovers", _remove_leftovers(app)),
                ("watchdog", _watchdog(manager)),
            )
        ]
        await serve_on(api, *unix)
        await serve_on(api, tcp, context=tls)
        await serve_on(metrics_api, metrics)
        _say_where(config, tcp.getsockname(), metrics.getsockname())
        manager.ready()
        await until(signals.stop, tasks)
        manager.stopping()
        await drain(app, signals, tasks, config.shutdown_drain_s)
        await shut_down(app, api, metrics_api, tasks)
    finally:
        await app.engine.close()
        await app.sender.close()
        if not given:
            config.socket.unlink(missing_ok=True)


async def _recover(app: App, folder: StateFolder) -> None:
    """Takes up every job that is not over: those that were admitted keep their places, the rest queues in order."""
    rows = await app.store.live_rows()
    jobs = readable(rows)
    kept = {row.uid for row in rows}  # those of jobs that cannot be read too
    remove_stale_uploads(folder, kept)
    SecretFiles(folder.secrets).remove_all_but(kept - {record.uid for record in jobs if record.ended})
    for record in jobs:
        if not record.ended:
            app.job_metrics.resumed(record.image or (await app.repository.spec(record.uid)).image)
            if not isinstance(record.state, Queued):
                app.queue.occupy(record.uid)
            elif record.state.retry is None:
                app.queue.enter(record.uid)
    for record in jobs:
        app.supervisors.start(app.supervisors.get_or_make(record))
    if jobs:
        log.info("jobs taken up again", extra={"action": "recover", "count": len(jobs)})


async def _remove_leftovers(app: App) -> None:
    while True:
        try:
            await app.retention.remove_leftovers()
            await app.retention.sweep()
            return
        except (EngineError, StoreError) as error:
            log.warning(
                "leftovers not looked at yet", extra={"action": "remove-leftovers", "error": str(error)}
            )
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
