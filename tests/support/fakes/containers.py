"""One container and one job of the fake engine: what they have, and nothing that they do."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from jobd.jobs.port.model import ContainerFacts, ContainerState, JobRef, RawLine, Role
from jobd.wire.job import JobSpec
from jobd.wire.report import SidecarOrder
from tests.support.fakes.sidecar import SidecarScript
from tests.support.fakes.worker import WorkerScript
from tests.support.fakes.workspace import Files


@dataclass(eq=False, slots=True)
class Container:
    """One container: its facts, its log, and the task of its run."""

    facts: ContainerFacts
    log: list[RawLine] = field(default_factory=list)
    unfinished: RawLine | None = None
    run: asyncio.Task[None] | None = None
    thawed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the container is not frozen."""
    frozen_at: float = 0.0
    frozen_s: float = 0.0
    """How long the ended freezes have lasted."""
    order: SidecarOrder | None = None
    script: SidecarScript = field(default_factory=SidecarScript)
    notified: bool = False
    worker_script: WorkerScript = field(default_factory=WorkerScript)
    typed: bytes = b""
    """What the worker has not read of its input, or not printed since a line has not ended."""
    input_ended: bool = False

    @property
    def running(self) -> bool:
        """True from its start to its end."""
        return self.facts.state is ContainerState.RUNNING


@dataclass(eq=False, slots=True)
class Job:
    """One job's containers, the volume's files by absolute path, and their uid and gid. `sources`: the earlier jobs that the sidecar reads."""

    ref: JobRef
    spec: JobSpec
    files: Files
    owner: tuple[int, int] = (0, 0)
    sources: Mapping[str, JobRef] = field(default_factory=dict)
    worker: Container | None = None
    sidecar: Container | None = None

    @property
    def has_run(self) -> bool:
        """True if any of its containers was started."""
        return any(
            box is not None and box.facts.started_at is not None for box in (self.worker, self.sidecar)
        )

    @property
    def secrets(self) -> Mapping[str, str]:
        """The values that a worker finds, in memory that a running sidecar keeps."""
        box = self.sidecar
        return box.order.secrets if box is not None and box.order and box.running else {}

    def of(self, role: Role) -> Container | None:
        """Returns the container of this role, if any."""
        return self.worker if role == "worker" else self.sidecar
