"""One run: inputs, ready, the worker's end, outputs, done.

`plan.py` decides what runs when, `artifacts/` transfers the files. When `run` returns, every result has been reported.

Source: docs/architecture.md, "Sidecar and worker".
"""

import time
from collections.abc import Callable

from jobd.wire.artifact import Artifact, JobFiles, kind_of
from sidecar.artifacts.base import PATHS, Context, Meter, Transferred, handler_of, with_native_paths
from sidecar.entry import READY_FILE
from sidecar.errors import ArtifactError, Missing
from sidecar.interrupts import Interrupts, TimeIsUp, WorkerEnd
from sidecar.plan import Outcome, Plan, failed, outcome_without_run
from sidecar.reporting.report import Reports, note
from sidecar.workspace.paths import Workspace

EXIT_DONE = 0
EXIT_INPUTS_FAILED = 1

Clock = Callable[[], float]


class Run:
    """One job's inputs and outputs. `wait_s` bounds the wait for the worker's end. `place_secrets` is called after the inputs; with
    secrets the sidecar always waits for the worker's end, since the secrets disappear when the sidecar ends.
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
        """Transfers and reports everything, and returns the exit code.

        Raises Cancelled: a signal ended the inputs. Nothing is reported: jobd has asked for the end and knows why, or a stopping engine
        sent the signal, and jobd starts the sidecar again.
        """
        error = self._inputs()
        self._interrupts.inputs_are_over()
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
        """Transfers the inputs. Returns why the job cannot start, or None."""
        try:
            self._workspace.take_over()
        except ArtifactError as error:
            return f"the workspace cannot be given to the worker's user: {error}"
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
        self._import_handlers()
        worker_end = self._interrupts.wait_for_worker_end(self._wait_s)
        if worker_end is None:
            for artifact in self._plan.outputs:
                self._end(
                    artifact,
                    failed(artifact, f"jobd did not report the worker's end within {self._wait_s:g} seconds"),
                )
            return
        self._reports.outputs_started()
        for artifact in self._plan.outputs:
            self._one(artifact, worker_end=worker_end)

    def _import_handlers(self) -> None:
        """Imports the modules of the outputs while the worker runs, so that no import delays an output."""
        for artifact in self._plan.outputs:
            try:
                handler_of(kind_of(artifact))
            except Exception as error:  # the transfer imports the module again, and reports the error
                note(f"artifact {artifact.id!r}: {type(error).__name__}")

    def _one(
        self, artifact: Artifact, *, worker_end: WorkerEnd | None = None, failed_input: str | None = None
    ) -> Outcome:
        outcome = outcome_without_run(
            artifact, self._outcomes, worker_end=worker_end, failed_input=failed_input
        )
        if outcome is not None:
            return self._end(artifact, outcome)
        started = self._clock()
        transferred = Transferred()
        try:
            transferred = self._transfer(artifact)
            outcome = Outcome("success")
        except Missing as error:
            outcome = failed(artifact, self._with_held_instead(artifact, str(error)))
        except ArtifactError as error:
            outcome = failed(artifact, str(error))
        except TimeIsUp:
            outcome = failed(artifact, "exceeded its time limit and was stopped")
        except (Exception, MemoryError) as error:  # any failure concerns this artifact only
            note(f"artifact {artifact.id!r}: {type(error).__name__}")
            note_locations(error)
            outcome = failed(artifact, f"internal error of the sidecar ({type(error).__name__})")
        return self._end(artifact, outcome, transferred, self._clock() - started)

    def _transfer(self, artifact: Artifact) -> Transferred:
        return handler_of(kind_of(artifact))(
            with_native_paths(artifact), self._context(self._reports.meter(artifact))
        )

    def _with_held_instead(self, artifact: Artifact, why: str) -> str:
        """Returns the error with what the folder of the missing source holds; unchanged where the source is in no folder of this workspace."""
        if "source" not in PATHS[kind_of(artifact)] or isinstance(artifact, JobFiles):
            return why
        from sidecar.workspace.missing import held_instead  # only here: few artifacts are missing

        held = held_instead(self._workspace, with_native_paths(artifact).source)
        return f"{why}; {held}" if held else why

    def _end(
        self, artifact: Artifact, outcome: Outcome, transferred: Transferred | None = None, seconds: float = 0
    ) -> Outcome:
        transferred = transferred or Transferred()
        self._outcomes[artifact.id] = outcome
        self._reports.artifact(
            artifact, outcome, content=transferred.content, size_bytes=transferred.size_bytes, seconds=seconds
        )
        return outcome


def note_locations(error: BaseException) -> None:
    """Prints the location of an unexpected error, without its text, which may contain a URL."""
    import traceback  # only here: the import delays a start by a millisecond

    for frame in traceback.extract_tb(error.__traceback__):
        note(f"  {frame.filename}:{frame.lineno} in {frame.name}")
