"""Builds the parts that accept, run, show and remove jobs."""

from dataclasses import dataclass

from jobd.clock import Clock
from jobd.composition.events import Events
from jobd.jobs.admission.fingerprint import Fingerprints
from jobd.jobs.admission.queue import AdmissionQueue
from jobd.jobs.admission.resource_limits import Caps
from jobd.jobs.admission.resubmission import Resubmitter
from jobd.jobs.admission.submission import SubmissionLimits, Submitter
from jobd.jobs.change_notifier import ChangeNotifier
from jobd.jobs.groups import GroupService
from jobd.jobs.interactive.attachments import Attachments
from jobd.jobs.interactive.inputs import Inputs
from jobd.jobs.interactive.sessions import Sessions
from jobd.jobs.job_files import JobFiles
from jobd.jobs.job_repository import JobRepository
from jobd.jobs.log.live_output import LiveOutputs
from jobd.jobs.log.log_view import LogView
from jobd.jobs.mounts.host_mounts import HostMounts
from jobd.jobs.port.model import EngineFacts
from jobd.jobs.port.protocols import EnginePort
from jobd.jobs.retention.kept_outputs import KeptOutputs
from jobd.jobs.retention.retention import Retention, RetentionSettings
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.run.engine_monitor import EngineMonitor
from jobd.jobs.run.sidecar_order import SidecarSettings
from jobd.jobs.run.supervisors import Supervisors
from jobd.jobs.secrets import SecretFiles
from jobd.jobs.service import JobService
from jobd.jobs.sets import SetService
from jobd.jobs.statistics import StatisticsService
from jobd.jobs.workspace_holds import WorkspaceHolds
from jobd.metrics.jobs import JobObserver
from jobd.process.state_folder import StateFolder, fingerprint_key
from jobd.settings.config import Config
from jobd.store.store import Store


@dataclass(frozen=True, slots=True)
class Jobs:
    """The parts that run jobs, wired together and not started."""

    change_notifier: ChangeNotifier
    repository: JobRepository
    queue: AdmissionQueue
    outputs: KeptOutputs
    live_outputs: LiveOutputs
    supervisors: Supervisors
    engine_monitor: EngineMonitor
    retention: Retention
    submitter: Submitter
    resubmitter: Resubmitter
    service: JobService
    groups: GroupService
    sets: SetService
    statistics: StatisticsService
    logs: LogView
    sessions: Sessions


def build_jobs(
    config: Config,
    *,
    folder: StateFolder,
    store: Store,
    engine: EnginePort,
    events: Events,
    clock: Clock,
    observer: JobObserver,
) -> Jobs:
    """Returns the parts of `jobs`. Must be called inside the running event loop.

    Raises:
        ConfigError: the fingerprint key in the state folder cannot be read or stored.
    """
    change_notifier = ChangeNotifier()
    repository = JobRepository(store, events.feed, events.dispatcher, change_notifier, clock)
    queue = AdmissionQueue(config.max_concurrent_jobs, config.gpus)
    outputs = KeptOutputs(folder.outputs, config.kept_outputs_max_bytes)
    live_outputs = LiveOutputs()
    holds = WorkspaceHolds()
    attachments, inputs = Attachments(clock), Inputs(engine)
    mounts = HostMounts(_own_paths(config, folder), config.allow_mounts)
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
        secrets=SecretFiles(folder.secrets),
        outputs=outputs,
        holds=holds,
        mounts=mounts,
        on_change=observer.changed,
        live_outputs=live_outputs,
        notify=change_notifier.notify,
        attachments=attachments,
        inputs=inputs,
    )
    supervisors = Supervisors(deps, store)

    def take_engine_facts(facts: EngineFacts) -> None:
        queue.take_engine_facts(facts)
        mounts.take_engine_facts(facts)

    engine_monitor = EngineMonitor(engine, supervisors, clock, on_facts=take_engine_facts)
    groups = GroupService(store, queue, clock, supervisors.wake)
    retention = Retention(
        store,
        repository,
        supervisors,
        engine,
        outputs,
        holds,
        clock,
        _retention_settings(config),
        groups.remove_idle,
    )
    fingerprints = Fingerprints(fingerprint_key(folder))
    submitter = Submitter(
        deps,
        supervisors,
        engine_monitor,
        fingerprints,
        _submission_limits(config),
        on_accepted=observer.accepted,
    )
    files = JobFiles(engine, outputs)
    service = JobService(store, supervisors, queue, files, retention, holds)
    return Jobs(
        change_notifier=change_notifier,
        repository=repository,
        queue=queue,
        outputs=outputs,
        live_outputs=live_outputs,
        supervisors=supervisors,
        engine_monitor=engine_monitor,
        retention=retention,
        submitter=submitter,
        resubmitter=Resubmitter(store, submitter),
        service=service,
        groups=groups,
        sets=SetService(store, supervisors),
        statistics=StatisticsService(store, clock, config.history_retention_s),
        logs=LogView(store, change_notifier, service.current, events.readers, live_outputs),
        sessions=Sessions(store, supervisors, engine, change_notifier, attachments, inputs, service.current),
    )


def change_settings(jobs: Jobs, config: Config) -> None:
    """Takes those settings of `config` that may change while jobs run. Jobs that were accepted keep their limits."""
    jobs.submitter.limits = _submission_limits(config)
    if jobs.queue.limit != config.max_concurrent_jobs:
        jobs.queue.limit = config.max_concurrent_jobs
    jobs.retention.change_settings(_retention_settings(config))


def _submission_limits(config: Config) -> SubmissionLimits:
    return SubmissionLimits(
        config.max_queued_jobs,
        config.allow_cap_add,
        config.allow_devices,
        Caps(config.max_timeout_s, config.max_memory_mb, config.max_cpus),
    )


def _retention_settings(config: Config) -> RetentionSettings:
    return RetentionSettings(
        config.job_retention_s, config.history_retention_s, config.maintenance_interval_s
    )


def _own_paths(config: Config, folder: StateFolder) -> list[str]:
    """Returns the files of jobd that no job gets."""
    files = (
        folder.path,
        config.socket,
        config.api_key_file,
        config.tls_cert_file,
        config.tls_key_file,
        config.log_file,
    )
    return [str(path.absolute()) for path in files if path is not None]
