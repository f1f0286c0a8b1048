"""The dependencies of every supervisor: the engine, the repository, the queue, and the folders of a job's files.

Owns nothing; `composition/jobs.py` fills it once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jobd.clock import Clock
from jobd.jobs.admission.queue import AdmissionQueue
from jobd.jobs.interactive.attachments import Attachments
from jobd.jobs.interactive.inputs import Inputs
from jobd.jobs.job_repository import JobRepository
from jobd.jobs.log.live_output import LiveOutputs
from jobd.jobs.mounts.host_mounts import HostMounts
from jobd.jobs.port.protocols import JobEngine
from jobd.jobs.record.record import Record
from jobd.jobs.retention.kept_outputs import KeptOutputs
from jobd.jobs.run.sidecar_order import SidecarSettings
from jobd.jobs.secrets import SecretFiles
from jobd.jobs.workspace_holds import WorkspaceHolds
from jobd.wire.job import JobSpec


@dataclass(frozen=True, slots=True)
class Dependencies:
    """`on_change` is called after each stored change, with the record before and after, and the spec. `notify` wakes the
    watchers of a job, by uid.
    """

    engine: JobEngine
    repository: JobRepository
    queue: AdmissionQueue
    clock: Clock
    sidecar: SidecarSettings
    log_max_bytes: int
    engine_error_limit_s: float
    spool_path: Callable[[str], Path]
    secrets: SecretFiles
    outputs: KeptOutputs
    holds: WorkspaceHolds
    mounts: HostMounts
    on_change: Callable[[Record, Record, JobSpec], None]
    live_outputs: LiveOutputs
    notify: Callable[[str], None]
    attachments: Attachments
    inputs: Inputs
