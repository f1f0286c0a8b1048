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
from jobd.api.memory import BODIES_BYTES, COPIES_BYTES, READER_PATIENCE_S, READERS_BYTES, memory_budget
from jobd.api.middleware import AccessPolicy, access_control, error_responses, request_metrics
from jobd.api.openapi import document
from jobd.api.routes import ROUTES
from jobd.api.streams import FOLLOWERS, close_followers
from jobd.budget import ByteBudget
from jobd.clock import SystemClock
from jobd.docker.mapping.settings import MIN_LOG_BYTES, DockerSettings
from jobd.docker.orchestrator import DockerOrchestrator
from jobd.docker.remedies import REMEDIES
from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.feed import Feed
from jobd.events.http.egress import EgressPolicy
from jobd.events.http.sender import Sender
from jobd.failpoints import Failpoints
from jobd.health.health import HealthCheck
from jobd.jobs.admission.fingerprint import Fingerprints
from jobd.jobs.admission.queue import AdmissionQueue
from jobd.jobs.admission.resource_limits import Caps
from jobd.jobs.admission.submission import SubmissionLimits, Submitter
from jobd.jobs.change_notifier import ChangeNotifier
from jobd.jobs.job_repository import JobRepository
from jobd.jobs.log.live_output import LiveOutputs
from jobd.jobs.log.log_view import LogView
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import DiskUse, EngineFacts
from jobd.jobs.retention.kept_outputs import KeptOutputs
from jobd.jobs.retention.retention import Retention, RetentionSettings
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.run.engine_monitor import EngineMonitor
from jobd.jobs.run.sidecar_order import SidecarSettings
from jobd.jobs.run.supervisors import Supervisors
from jobd.jobs.secrets import SecretFiles
from jobd.jobs.service import JobService
from jobd.metrics.deliveries import DeliveryMetrics
from jobd.metrics.jobs import JobObserver
from jobd.metrics.metrics import CONTENT_TYPE, Metrics
from jobd.process.state_folder import StateFolder, fingerprint_key, sizes
from jobd.settings.config import Config
from jobd.store.store import Store
from jobd.wire.host_alias import HOST_ALIAS
from jobd.wire.validation.limits import MAX_BODY_BYTES
from jobd.wire.view import Disk, Kept, Version

VERSION = version("jobd")
OWN_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", HOST_ALIAS})


@dataclass(frozen=True, slots=True)
class App:
    """The parts that are run, stopped and asked from outside."""

    store: Store
    engine: DockerOrchestrator
    engine_monitor: EngineMonitor
    submitter: Submitter
    repository: JobRepository
    supervisors: Supervisors
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
    clock, metrics, queue, change_notifier = (
        failpoints.clock if failpoints else SystemClock(),
        Metrics(),
        AdmissionQueue(config.max_concurrent_jobs),
        ChangeNotifier(),
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
    repository = JobRepository(store, feed, dispatcher, change_notifier, clock)
    live_outputs = LiveOutputs()
    deps = Dependencies(
        engine=engine,
        repository=repository,
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
        tell=change_notifier.notify,
    )
    supervisors = Supervisors(deps, store)
    engine_monitor = EngineMonitor(engine, supervisors, clock)
    health = HealthCheck(store.last_seq, store.has_free_space, engine_monitor)
    retention = Retention(
        store,
        repository,
        supervisors,
        engine,
        outputs,
        clock,
        RetentionSettings(config.job_retention_s, config.history_retention_s, config.maintenance_interval_s),
    )
    submitter = Submitter(
        deps,
        supervisors,
        engine_monitor,
        Fingerprints(fingerprint_key(folder)),
        SubmissionLimits(
            config.max_queued_jobs,
            config.allow_cap_add,
            Caps(config.max_timeout_s, config.max_memory_mb, config.max_cpus),
        ),
        on_accepted=job_metrics.accepted,
    )
    service = JobService(store, supervisors, queue, engine, retention, config.job_retention_s, outputs)

    def about() -> Version:
        facts = engine_monitor.facts
        return Version(
            version=VERSION,
            instance=instance,
            engine=_about_engine(facts) if facts and not engine_monitor.trouble else {},
            sidecar_image=config.sidecar_image,
            sidecar_image_present=facts.has_sidecar_image if facts else None,
            state_dir=str(folder.path),
            max_concurrent_jobs=config.max_concurrent_jobs,
            warnings=[store.warning] if store.warning else [],
            remedies={wrong: list(helps) for wrong, helps in REMEDIES.items()},
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
        submitter=submitter,
        jobs=service,
        logs=LogView(store, change_notifier, service.current, readers, live_outputs),
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
        engine_monitor=engine_monitor,
        submitter=submitter,
        repository=repository,
        supervisors=supervisors,
        queue=queue,
        retention=retention,
        dispatcher=dispatcher,
        sender=sender,
        health=health,
        metrics=metrics,
        job_metrics=job_metrics,
        api=_api(context, metrics, AccessPolicy(api_key, names | {config.host.lower()}), readers),
        metrics_api=_metrics_api(metrics, outbox, AccessPolicy(None, names | {config.metrics_host.lower()})),
    )


def _about_engine(facts: EngineFacts) -> dict[str, object]:
    return {
        "name": facts.name,
        "version": facts.version,
        "apiVersion": facts.api_version,
        "platform": facts.platform,
        "cpus": facts.cpus,
        "memoryBytes": facts.memory_bytes,
        **facts.details,
    }


def _api(context: Context, metrics: Metrics, policy: AccessPolicy, readers: ByteBudget) -> web.Application:
    api = web.Application(
        middlewares=[
            request_metrics(metrics),
            error_responses,
            access_control(policy),
            memory_budget(
                context.bodies,
                readers,
                {(r.method, r.path): r.response_bytes for r in ROUTES if r.response_bytes},
            ),
        ],
        client_max_size=MAX_BODY_BYTES,
    )
    api[CONTEXT] = context
    api[FOLLOWERS] = set()
    api.on_shutdown.append(close_followers)
    for route in ROUTES:
        api.router.add_route(route.method, route.path, route.handler)
    return api


def _metrics_api(
    metrics: Metrics, before_scrape: Callable[[], Awaitable[None]], policy: AccessPolicy
) -> web.Application:
    async def scrape(_: web.Request) -> web.Response:
        await before_scrape()
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    api = web.Application(middlewares=[error_responses, access_control(policy)])
    api.router.add_get("/metrics", scrape)
    return api
