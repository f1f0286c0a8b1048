"""The reports of the fake engine's sidecar: by default those of a sidecar that succeeds.

Owns the scripts of reports; `world.py` decides when they are printed. Moves no file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jobd.wire.artifact import after_job, kind_of
from jobd.wire.report import (
    ArtifactDone,
    Done,
    InputsFailed,
    OutputsStarted,
    Ready,
    Refused,
    Report,
    SidecarOrder,
    Started,
)

Status = Literal["success", "failed", "skipped"]
Said = Report | str
"""A report, or any line of output."""


@dataclass(frozen=True, slots=True)
class SidecarScript:
    """The sidecar reports `inputs` after its start, `outputs` once notified of the worker's end; None: all succeed.

    The sidecar ends by itself after `Refused` (code 2), `InputsFailed` (1) and `Done` (0); else it waits.
    """

    inputs: Sequence[Said] | None = None
    outputs: Sequence[Said] | None = None

    def inputs_of(self, order: SidecarOrder) -> Sequence[Said]:
        """Returns the reports after the start, numbered from 1."""
        if self.inputs is not None:
            return self.inputs
        late = after_job(order.artifacts)
        said: list[Report] = [Started(n=1)]
        for artifact in order.artifacts:
            if artifact.id not in late:
                said.append(
                    ArtifactDone(
                        n=len(said) + 1,
                        artifact_id=artifact.id,
                        artifact_type=kind_of(artifact),
                        status="success",
                    )
                )
        return [*said, Ready(n=len(said) + 1)]

    def outputs_of(self, order: SidecarOrder, succeeded: bool) -> Sequence[Said]:
        """Returns the reports after the worker's end; artifacts that their `when` excludes are skipped."""
        if self.outputs is not None:
            return self.outputs
        late = after_job(order.artifacts)
        first = len(self.inputs_of(order)) + 1
        said: list[Report] = [OutputsStarted(n=first)]
        for artifact in order.artifacts:
            if artifact.id not in late:
                continue
            when = getattr(artifact, "when", "success")
            applies = when == "always" or (when == "success") == succeeded
            status: Status = "success" if applies else "skipped"
            said.append(
                ArtifactDone(
                    n=first + len(said),
                    artifact_id=artifact.id,
                    artifact_type=kind_of(artifact),
                    status=status,
                )
            )
        return [*said, Done(n=first + len(said))]

    @staticmethod
    def exit_code_after(reports: Sequence[Said]) -> int | None:
        """Returns the sidecar's exit code after these reports, or None if it continues."""
        match reports[-1] if reports else None:
            case Refused():
                return 2
            case InputsFailed():
                return 1
            case Done():
                return 0
            case _:
                return None
