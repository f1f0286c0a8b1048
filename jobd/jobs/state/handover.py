"""The earlier jobs that a job needs: whose end it awaits, whose workspaces it reads, and whose outputs it repeats. Pure.

A part of the record, so that a start of jobd knows every needed workspace before it removes one.
"""

from msgspec.structs import replace

from jobd.jobs.port.model import JobRef
from jobd.jobs.record.parts import Ended, Part
from jobd.wire.artifact import after_job
from jobd.wire.job import DEFAULT_CPU, JobSpec

SIDECAR_MEMORY_MB = 256
"""What a job that only repeats outputs takes of the machine's memory."""


class Workspace(Part, frozen=True, kw_only=True):
    """The attempt for which a workspace was created, and whose containers hold the workspace."""

    uid: str
    id: str
    attempt: int = 1

    @property
    def ref(self) -> JobRef:
        """The attempt, as the engine knows it."""
        return JobRef(self.uid, self.id, self.attempt)


class Source(Part, frozen=True, kw_only=True):
    """An earlier job whose workspace stays for this job. `uid`: the id may belong to another job later. `files`: this job's inputs
    take files of that workspace; False for a job that is only awaited. `workspace`: who created the workspace, if the job has taken it over.
    """

    uid: str
    id: str
    files: bool = True
    workspace: Workspace | None = None

    @property
    def ref(self) -> JobRef:
        """The job whose containers hold the workspace."""
        return self.workspace.ref if self.workspace else JobRef(self.uid, self.id)


class Takeover(Part, frozen=True, kw_only=True):
    """An ended job whose outputs this job repeats, on the workspace of that job. `workspace`: who created the workspace. `worker`: how
    the earlier worker ended; this job has none.
    """

    workspace: Workspace
    worker: Ended


class Taker(Part, frozen=True, kw_only=True):
    """The job that has taken over an ended job's workspace."""

    uid: str
    id: str


def outputs_only(spec: JobSpec) -> JobSpec:
    """Returns the part of a spec that a job has left to do if its worker has run already."""
    late = after_job(spec.artifacts)
    return replace(
        spec,
        artifacts=[artifact for artifact in spec.artifacts if artifact.id in late],
        secrets={},
        read_only=False,
        mounts=[],
        cpu=DEFAULT_CPU,
        memory=SIDECAR_MEMORY_MB,
        gpus=0,
        retries=0,
        retry_on=[],
    )
