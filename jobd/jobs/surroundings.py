"""What every supervisor works with: the engine, the ledger, the queue, and where a job's files are.

Owns nothing; `app.py` fills it once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jobd.clock import Clock
from jobd.jobs.kept_outputs import KeptOutputs
from jobd.jobs.ledger import Ledger
from jobd.jobs.live_output import LiveOutputs
from jobd.jobs.orchestrator import Orchestrator
from jobd.jobs.order import SidecarSettings
from jobd.jobs.queue import AdmissionQueue
from jobd.jobs.record import Record
from jobd.jobs.secrets import SecretFiles
from jobd.wire.job import JobSpec


@dataclass(frozen=True, slots=True)
class Surroundings:
    """See the module. `on_change` hears of each stored change: before, after, spec. `tell` wakes who watches the job of a uid."""

    engine: Orchestrator
    ledger: Ledger
    queue: AdmissionQueue
    clock: Clock
    sidecar: SidecarSettings
    log_max_bytes: int
    engine_error_limit_s: float
    spool_path: Callable[[str], Path]
    secrets: SecretFiles
    outputs: KeptOutputs
    on_change: Callable[[Record, Record, JobSpec], None]
    live_outputs: LiveOutputs
    tell: Callable[[str], None]
