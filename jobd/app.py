"""The composition root: builds every part of jobd and joins them. The only module that names concrete classes.

Owns nothing that runs; `serve.py` runs what is built here.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version

import msgspec
from aiohttp import web

from jobd.api.context import CONTEXT, Context
from jobd.api.memory import BODIES_BYTES, COPIES_BYTES, READER_PATIENCE_S, READERS_BYTES, sharing_memory
from jobd.api.middleware import Door, answering_errors, guarding, measuring
from jobd.api.openapi import document
from jobd.api.routes import ROUTES
from jobd.api.streams import FOLLOWERS, let_followers_go
from jobd.budget import ByteBudget
from jobd.clock import SystemClock
from jobd.config import Config
from jobd.docker.orchestrator import DockerOrchestrator
from jobd.docker.settings import MIN_LOG_BYTES, DockerSettings
from jobd.events.dispatcher import Dispatcher
from jobd.events.egress import EgressPolicy
from jobd.events.feed import Feed
from jobd.events.sender import Sender
from jobd.failpoints import Failpoints
from jobd.health.health import HealthCheck
from jobd.jobs.caps import Caps
from jobd.jobs.engine_watch import EngineWatch
from jobd.jobs.fingerprint import Fingerprints
from jobd.jobs.intake import Intake, IntakeLimits
from jobd.jobs.kept_outputs import KeptOutputs
from jobd.jobs.ledger import Ledger
from jobd.jobs.live_output import LiveOutputs
from jobd.jobs.logview import LogView
from jobd.jobs.orchestrator import DiskUse, EngineFacts, EngineUnavailable
from jobd.jobs.order import SidecarSettings
from jobd.jobs.queue import AdmissionQueue
from jobd.jobs.retention import Retention, RetentionSettings
from jobd.jobs.roster import Roster
from jobd.jobs.secrets import SecretFiles
from jobd.jobs.service import JobService
from jobd.jobs.surroundings import Surroundings
from jobd.jobs.watch import Watchers
from jobd.metrics.deliveries import DeliveryMetrics
from jobd.metrics.jobs import JobObserver
from jobd.metrics.metrics import CONTENT_TYPE, Metrics
from jobd.state import StateFolder, fingerprint_key, sizes
from jobd.store.store import Store
from jobd.wire.limits import MAX_BODY_BYTES
from jobd.wire.view import Disk, Kept, Version

VERSION = version("jobd")
OWN_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "host.docker.internal"})


@dataclass(frozen=True, slots=True)
class App:
    """The parts that are run, stopped and asked from outside."""

    store: Store
    engine: DockerOrchestrator
    engine_watch: EngineWatch
    intake: Intake
    ledger: Ledger
    roster: Roster
    queue: AdmissionQueue
    retention: Retention
    dispatcher: Dispatcher
    sender: Sender
    health: HealthCheck
    metrics: Metrics
    job_metrics: JobObserver
    api: web.Application
    metrics_api: web.Application


def build(
    config: Config,
    *,
    folder: StateFolder,
    store: Store,
    instance: str,
    api_key: str | None,
    own_addresses: frozenset[tuple[str, int]],
) -> App:
    """Returns all parts, joined. `own_addresses` are jobd's listeners: no callback may go there.

    Must be called inside the running event loop.
    """
    failpoints = Failpoints.of(os.environ)  # None but in tests of crashes
    clock, metrics, queue, watchers = (
        failpoints.clock if failpoints else SystemClock(),
        Metrics(),
        AdmissionQueue(config.max_concurrent_jobs),
        Watchers(),
    )
    job_metrics = JobObserver(metrics)
    engine = DockerOrchestrator(
        DockerSettings(
            instance=instance,
            sidecar_image=config.sidecar_image,
            extra_hosts=config.extra_hosts,
            # The engine rotates by raw bytes; what jobd keeps must fit into that with room to spare.
            log_max_bytes=max(2 * config.log_max_bytes, MIN_LOG_BYTES),
        ),
        on_call=failpoints.after_calls(metrics.engine_call) if failpoints else metrics.engine_call,
    )
    deliveries = DeliveryMetrics(metrics.registry)
    sender = Sender(
        EgressPolicy(config.egress, own_addresses),
        clock,
        timeout_s=config.dispatcher.http_timeout_s,
        connections=2 * config.dispatcher.workers,
    )
    if failpoints:
        failpoints.place(store=store, engine=engine, sender=sender)
    dispatcher = Dispatcher(store, sender, config.dispatcher, clock, deliveries)
    readers = ByteBudget(READERS_BYTES, patience_s=READER_PATIENCE_S)
    feed = Feed(store, readers)
    secrets = SecretFiles(folder.secrets)
    outputs = KeptOutputs(folder.outputs, config.kept_outputs_max_bytes)
    ledger = Ledger(store, feed, dispatcher, watchers, clock)
    live_outputs = LiveOutputs()
    around = Surroundings(
        engine=engine,
        ledger=ledger,
        queue=queue,
        clock=clock,
        sidecar=SidecarSettings(
            direct=config.callback_proxy_url is None,
            callback_timeout_s=config.callback_timeout_s,
            upload_timeout_s=config.upload_timeout_s,
            upload_retries=config.upload_retries,
        ),
        log_max_bytes=config.log_max_bytes,
        engine_error_limit_s=config.engine_error_limit_s,
        spool_path=folder.spool_path,
        secrets=secrets,
        outputs=outputs,
        on_change=job_metrics.changed,
        live_outputs=live_outputs,
        tell=watchers.notify,
    )
    roster = Roster(around, store)
    engine_watch = EngineWatch(engine, roster, clock)
    health = HealthCheck(store.last_seq, store.has_room, engine_watch)
    retention = Retention(
        store,
        ledger,
        roster,
        engine,
        outputs,
        clock,
        RetentionSettings(config.job_retention_s, config.history_retention_s, config.maintenance_interval_s),
    )
    intake = Intake(
        around,
        roster,
        engine_watch,
        Fingerprints(fingerprint_key(folder)),
        IntakeLimits(
            config.max_queued_jobs,
            config.allow_cap_add,
            Caps(config.max_timeout_s, config.max_memory_mb, config.max_cpus),
        ),
        on_accepted=job_metrics.accepted,
    )
    service = JobService(store, roster, queue, engine, retention, config.job_retention_s, outputs)

    def about() -> Version:
        facts = engine_watch.facts
        return Version(
            version=VERSION,
            instance=instance,
            engine=_about_engine(facts) if facts and not engine_watch.trouble else {},
            sidecar_image=config.sidecar_image,
            sidecar_image_present=facts.has_sidecar_image if facts else None,
            state_dir=str(folder.path),
            max_concurrent_jobs=config.max_concurrent_jobs,
            warnings=[store.warning] if store.warning else [],
        )

    async def disk() -> Disk:
        free, database, uploads = await asyncio.to_thread(sizes, folder)
        kept = await asyncio.to_thread(outputs.sizes)
        try:
            use: DiskUse | None = await engine.disk_use()
        except EngineUnavailable:
            use = None
        return Disk(
            state_dir=str(folder.path),
            free_bytes=free,
            database_bytes=database,
            uploads=Kept(count=len(uploads), bytes=sum(uploads)),
            outputs=Kept(count=len(kept), bytes=sum(kept)),
            containers=Kept(count=use.containers, bytes=use.container_bytes) if use else None,
            volumes=Kept(count=use.volumes, bytes=use.volume_bytes) if use else None,
        )

    async def outbox() -> None:
        counts = await store.counts()
        age = clock.now() - counts.oldest_pending_at if counts.oldest_pending_at else timedelta()
        state = dispatcher.state()
        deliveries.outbox(
            pending=counts.pending,
            in_memory=state.held,
            breakers_closed=state.breakers - state.breakers_open,
            parked=counts.parked,
            oldest_age_s=max(0.0, age / timedelta(seconds=1)),
        )

    context = Context(
        intake=intake,
        jobs=service,
        logs=LogView(store, watchers, service.current, readers, live_outputs),
        store=store,
        feed=feed,
        dispatcher=dispatcher,
        health=health,
        bodies=ByteBudget(BODIES_BYTES),
        copies=ByteBudget(COPIES_BYTES),
        upload_dir=folder.spool,
        max_upload_bytes=config.max_upload_bytes,
        about=about,
        disk=disk,
        openapi=msgspec.json.encode(document(ROUTES, VERSION)),
    )
    names = OWN_NAMES | set(config.names)
    return App(
        store=store,
        engine=engine,
        engine_watch=engine_watch,
        intake=intake,
        ledger=ledger,
        roster=roster,
        queue=queue,
        retention=retention,
        dispatcher=dispatcher,
        sender=sender,
        health=health,
        metrics=metrics,
        job_metrics=job_metrics,
        api=_api(context, metrics, Door(api_key, names | {config.host.lower()}), readers),
        metrics_api=_metrics_api(metrics, outbox, Door(None, names | {config.metrics_host.lower()})),
    )


def _about_engine(facts: EngineFacts) -> dict[str, object]:
    return {
        "name": "docker",
        "version": facts.version,
        "apiVersion": facts.api_version,
        "platform": facts.platform,
        "cpus": facts.cpus,
        "memoryBytes": facts.memory_bytes,
        **facts.details,
    }


def _api(context: Context, metrics: Metrics, door: Door, readers: ByteBudget) -> web.Application:
    api = web.Application(
        middlewares=[
            measuring(metrics),
            answering_errors,
            guarding(door),
            sharing_memory(context.bodies, readers, {(r.method, r.path): r.holds for r in ROUTES if r.holds}),
        ],
        client_max_size=MAX_BODY_BYTES,
    )
    api[CONTEXT] = context
    api[FOLLOWERS] = set()
    api.on_shutdown.append(let_followers_go)
    for route in ROUTES:
        api.router.add_route(route.method, route.path, route.handler)
    return api


def _metrics_api(
    metrics: Metrics, before_scrape: Callable[[], Awaitable[None]], door: Door
) -> web.Application:
    async def scrape(_: web.Request) -> web.Response:
        await before_scrape()
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    api = web.Application(middlewares=[answering_errors, guarding(door)])
    api.router.add_get("/metrics", scrape)
    return api
