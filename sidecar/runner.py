"""One run: inputs, ready, the worker's end, outputs, done.

Thin: what runs when is decided in `plan.py`, what moves bytes is in `artifacts/`. Every end but a crash has been reported when `run`
returns.

Source: docs/architecture.md, "Sidecar and worker".
"""

import time
import traceback
from collections.abc import Callable

from jobd.wire.artifact import Artifact, kind_of
from sidecar.artifacts.base import Context, Meter, Moved, handler_of, with_native_paths
from sidecar.entry import READY_FILE
from sidecar.errors import ArtifactError
from sidecar.interrupts import Cancelled, Interrupts, TimeIsUp, WorkerEnd
from sidecar.plan import Outcome, Plan, failed, verdict
from sidecar.reporting.report import Reports, note
from sidecar.workspace.paths import Workspace

EXIT_DONE = 0
EXIT_INPUTS_FAILED = 1

Clock = Callable[[], float]


class Run:
    """One job's inputs and outputs. `wait_s` bounds the wait for the worker's end. `place_secrets` is called last before the
    worker may start, and means a wait even without outputs: what it places is gone when the sidecar ends too early.
    """

    def __init__(
        self,
        plan: Plan,
        workspace: Workspace,
        interrupts: Interrupts,
        reports: Reports,
        context: Callable[[Meter], Context],
        wait_s: float,
        clock: Clock = time.monotonic,
        place_secrets: Callable[[], None] | None = None,
    ) -> None:
        self._plan, self._workspace, self._interrupts, self._reports = plan, workspace, interrupts, reports
        self._context, self._wait_s, self._clock = context, wait_s, clock
        self._place_secrets = place_secrets
        self._outcomes: dict[str, Outcome] = {}

    def run(self) -> int:
        """Returns the exit code once everything has been moved or reported as failed."""
        try:
            error = self._inputs()
            self._interrupts.inputs_are_over()
        except Cancelled:
            error = "cancelled before the inputs were in place"
        if error is not None:
            self._reports.inputs_failed(error)
            return EXIT_INPUTS_FAILED
        self._reports.ready()
        if self._plan.outputs or self._place_secrets is not None:
            self._outputs()
        self._reports.done(
            [id for id, o in self._outcomes.items() if o.status == "failed" and not o.forgiven]
        )
        return EXIT_DONE

    def _inputs(self) -> str | None:
        """Returns why the job cannot start, or None where all is in place."""
        try:
            self._workspace.take_over()
        except ArtifactError as error:
            return f"the workspace cannot be handed to the worker: {error}"
        first: Artifact | None = None
        for artifact in self._plan.inputs:
            self._interrupts.checkpoint()
            outcome = self._one(artifact, failed_input=first.id if first else None)
            if first is None and outcome.status == "failed" and not outcome.forgiven:
                first = artifact
        if first is not None:
            return f"input {first.id!r} ({kind_of(first)}) failed: {self._outcomes[first.id].why}"
        if self._place_secrets is not None:
            try:
                self._place_secrets()
            except ArtifactError as error:
                return f"the secrets cannot be placed: {error}"
        try:
            with self._workspace.replace(READY_FILE):
                pass
        except ArtifactError as error:
            return f"the workspace cannot be written: {error}"
        return None

    def _outputs(self) -> None:
        worker_end = self._interrupts.wait_for_worker_end(self._wait_s)
        if worker_end is None:
            for artifact in self._plan.outputs:
                self._end(
                    artifact,
                    failed(artifact, f"the job's end was not heard of within {self._wait_s:g} seconds"),
                )
            return
        self._reports.outputs_started()
        for artifact in self._plan.outputs:
            self._one(artifact, worker_end=worker_end)

    def _one(
        self, artifact: Artifact, *, worker_end: WorkerEnd | None = None, failed_input: str | None = None
    ) -> Outcome:
        outcome = verdict(artifact, self._outcomes, worker_end=worker_end, failed_input=failed_input)
        if outcome is not None:
            return self._end(artifact, outcome)
        started = self._clock()
        moved = Moved()
        try:
            moved = self._move(artifact)
            outcome = Outcome("success")
        except ArtifactError as error:
            outcome = failed(artifact, str(error))
        except TimeIsUp:
            outcome = failed(artifact, "took too long and was stopped")
        except (Exception, MemoryError) as error:  # one artifact's failure is its own, whatever it is
            note(f"artifact {artifact.id!r}: {type(error).__name__}")
            note_places(error)
            outcome = failed(artifact, f"internal error of the sidecar ({type(error).__name__})")
        return self._end(artifact, outcome, moved, self._clock() - started)

    def _move(self, artifact: Artifact) -> Moved:
        return handler_of(kind_of(artifact))(
            with_native_paths(artifact), self._context(self._reports.meter(artifact))
        )

    def _end(
        self, artifact: Artifact, outcome: Outcome, moved: Moved | None = None, seconds: float = 0
    ) -> Outcome:
        moved = moved or Moved()
        self._outcomes[artifact.id] = outcome
        self._reports.artifact(
            artifact, outcome, content=moved.content, size_bytes=moved.size_bytes, seconds=seconds
        )
        return outcome


def note_places(error: BaseException) -> None:
    """Notes where an unexpected error came from, without its text: that may quote a URL."""
    for frame in traceback.extract_tb(error.__traceback__):
        note(f"  {frame.filename}:{frame.lineno} in {frame.name}")
