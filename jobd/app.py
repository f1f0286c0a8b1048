"""The composition root: joins what the builders in `composition` make.

Owns nothing that runs; `serve.py` runs what is built here.
"""

from dataclasses import dataclass

from aiohttp import web

from jobd.api.access import AccessPolicy
from jobd.clock import Clock, SystemClock
from jobd.composition.api import build_access, build_api, build_metrics_api
from jobd.composition.engine import Engine, build_engine, engine_limits, engine_remedies
from jobd.composition.events import Events, build_events, build_sender
from jobd.composition.instrument import Instrument, instrumented
from jobd.composition.jobs import Jobs, build_jobs
from jobd.composition.tracing import build_spans
from jobd.events.http.sender import Sender
from jobd.health.about import About
from jobd.health.health import HealthCheck
from jobd.metrics.deliveries import DeliveryMetrics
from jobd.metrics.jobs import JobObserver
from jobd.metrics.metrics import Metrics
from jobd.metrics.outbox import OutboxMetrics
from jobd.metrics.queue import QueueMetrics
from jobd.metrics.span_sink import JobSpans, SpanSink, TracedSender
from jobd.process.state_folder import StateFolder
from jobd.settings.config import Config
from jobd.store.store import Store


@dataclass(frozen=True, slots=True)
class App:
    """The parts that are run, stopped and asked from outside."""

    store: Store
    engine: Engine
    sender: Sender
    events: Events
    jobs: Jobs
    observer: JobObserver
    spans: SpanSink | None
    health: HealthCheck
    access: AccessPolicy
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
    instrument: Instrument | None = None,
) -> App:
    """Returns all parts, joined. `own_addresses` are jobd's listeners: no callback may go there. `instrument` is for tests.

    Must be called inside the running event loop.

    Raises:
        ConfigError: a setting, or what the state folder holds, cannot be used.
    """
    clock: Clock = instrumented(SystemClock(), instrument)
    metrics = instrumented(Metrics(), instrument)
    store = instrumented(store, instrument)
    engine = instrumented(build_engine(config, instance, metrics.engine_call), instrument)
    sender = instrumented(build_sender(config, own_addresses, clock), instrument)
    deliveries = DeliveryMetrics(metrics.registry)
    spans = build_spans()
    observer = JobObserver(metrics, JobSpans(spans) if spans else None)
    traced = TracedSender(sender, spans) if spans else sender
    events = build_events(config, store, traced, clock, deliveries)
    jobs = build_jobs(
        config, folder=folder, store=store, engine=engine, events=events, clock=clock, observer=observer
    )
    health = HealthCheck(store.last_seq, store.has_free_space, jobs.engine_monitor)
    about = About(
        config,
        instance,
        folder,
        store,
        engine,
        jobs.engine_monitor,
        jobs.queue,
        jobs.outputs,
        engine_remedies(config),
        engine_limits(config),
    )
    access = build_access(config, api_key)
    api = build_api(
        config,
        folder=folder,
        store=store,
        events=events,
        jobs=jobs,
        health=health,
        about=about,
        metrics=metrics,
        access=access,
    )
    outbox = OutboxMetrics(store, events.dispatcher, deliveries)
    queue = QueueMetrics(metrics.registry, jobs.queue.waits, lambda: jobs.supervisors.frozen)

    async def count() -> None:
        queue.count()
        await outbox.count()

    return App(
        store=store,
        engine=engine,
        sender=sender,
        events=events,
        jobs=jobs,
        observer=observer,
        spans=spans,
        health=health,
        access=access,
        api=api,
        metrics_api=build_metrics_api(config, metrics, count),
    )
