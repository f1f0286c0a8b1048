"""The actions before a worker's start: the image, the containers, the sidecar.

Owns how these actions are executed and the resulting facts; a user's request to end the job interrupts a pull. `next_action.py`
decides which action is next; `execution.py` has the worker's run.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from msgspec.structs import replace

from jobd.errors import InvalidRequest
from jobd.jobs.port.errors import EngineError, EngineUnavailable, ImageUnavailable
from jobd.jobs.port.model import Created, ImageFacts, Progress, WorkOrder
from jobd.jobs.port.protocols import PreparationEngine
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.run.job_state import JobState
from jobd.jobs.run.sidecar_order import sidecar_order
from jobd.jobs.state import facts
from jobd.jobs.state.observed_state import ObservedState
from jobd.wire.trace import with_trace

PULL_LIMIT_S = 1800.0

T = TypeVar("T")


class Preparation:
    """`say` gets the progress of a `prepare`; None ends the progress. Every call is safe to repeat; EngineUnavailable and
    StoreError mean that the caller repeats the call.
    """

    def __init__(
        self,
        job_state: JobState,
        observed_state: ObservedState,
        engine: PreparationEngine,
        deps: Dependencies,
        say: Callable[[Progress | None], None],
    ) -> None:
        self._job_state = job_state
        self._observed_state = observed_state
        self._engine = engine
        self._deps = deps
        self._say = say
        self._interruptible: asyncio.Task[Any] | None = None

    def interrupt(self) -> None:
        """Cancels a pull: a user wants the job to end."""
        if self._interruptible is not None:
            self._interruptible.cancel()

    async def prepare(self) -> None:
        """Pulls the images and creates the containers, and starts the sidecar if there is one: both facts are stored in one commit. The caller
        has stopped following an earlier sidecar.
        """
        record, ref, spec = self._job_state.record, self._job_state.ref, self._job_state.spec
        image_ready = record.setup is not None and record.setup.image is not None
        takes = record.takes
        files = self._deps.spool_path(record.uid) if record.has_spool and takes is None else None
        gpus = tuple(record.setup.gpus) if record.setup is not None else ()
        sources = {one.id: one.ref for one in record.sources if one.files}
        if (trace := record.trace) is not None:
            spec = replace(spec, environment=with_trace(spec.environment, trace.parent, trace.state))
        awaited = bool(self._deps.holds.readers(record.uid))
        order = WorkOrder(
            ref, spec, spec.needs_sidecar, files, image_ready, gpus, sources, files_awaited=awaited
        )
        if takes is not None:
            order = dataclasses.replace(order, workspace_of=takes.workspace.ref)
        elif spec.mounts:
            try:
                mounts = await self._deps.mounts.check(spec, record.caller)
            except InvalidRequest as error:
                await self._job_state.apply(facts.SetupFailed("input-failed", str(error)))
                return
            order = dataclasses.replace(order, mounts=mounts)
        try:
            if record.phase == "inputs":
                # The sidecar has run and no other container has: jobd reuses no old container. A sidecar that has refused its order
                # may be about to end.
                await self._engine.signal(ref, "sidecar", "SIGKILL")
                await self._engine.remove_stopped(ref)
            created = await self._pulled_and_created(order)
        except EngineUnavailable:
            raise
        except EngineError as error:
            await self._job_state.apply(facts.SetupFailed(error.code, error.advice))
        except _Interrupted:
            return
        else:
            if record.phase == "running" and created.sidecar_id != record.sidecar_id:
                why = "the sidecar was removed before the worker was started, and the job's inputs with it"
                await self._job_state.apply(facts.SidecarLost(why))
                return
            if record.phase == "running" or not order.sidecar:
                await self._job_state.apply(facts.Prepared(created))
            else:
                await self.start_inputs(facts.Prepared(created))

    async def _pulled_and_created(self, order: WorkOrder) -> Created:
        """Returns the containers. Raises EngineError; ImageUnavailable also if the pull takes too long. Raises _Interrupted."""
        pull_limit = asyncio.timeout(None if order.image_ready else PULL_LIMIT_S)
        try:
            async with pull_limit:
                progress = _PrepareProgress(self._job_state, self._say, pull_limit)
                return await self._unless_interrupted(self._engine.prepare(order, progress))
        except TimeoutError as error:
            if not pull_limit.expired():
                raise
            raise ImageUnavailable("the image was not pulled within half an hour") from error

    async def start_inputs(self, *before: facts.Fact) -> None:
        """Starts the sidecar with its order, unless a user has cancelled the job meanwhile. `before`: facts that are not stored yet."""
        job_state = self._job_state
        await job_state.apply(*before, facts.SidecarStarting())
        if job_state.record.phase != "inputs" or job_state.record.sidecar is None:
            return
        self._observed_state.forget()
        secrets = None
        if job_state.spec.secrets:
            secrets = await asyncio.to_thread(self._deps.secrets.read, job_state.record.uid)
            if secrets is None:
                await job_state.apply(
                    facts.SetupFailed("input-failed", "the job's secrets are gone from the state folder")
                )
                return
        order = sidecar_order(job_state.record, job_state.spec, self._deps.sidecar, secrets)
        job_state.order_given = False
        try:
            await self._engine.start_inputs(job_state.ref, order)
            job_state.order_given = True
        except EngineUnavailable:
            raise
        except EngineError as error:
            await job_state.apply(
                facts.SetupFailed("input-failed", f"the sidecar did not start: {error.advice}")
            )

    async def _unless_interrupted(self, work: Coroutine[Any, Any, T]) -> T:
        """Returns what `work` returns. Raises _Interrupted: `interrupt` was called first, and `work` was cancelled."""
        if self._job_state.record.ended or self._job_state.record.cancel is not None:
            work.close()
            raise _Interrupted
        task = asyncio.create_task(work)
        self._interruptible = task
        try:
            await asyncio.wait({task})
            if task.cancelled():
                raise _Interrupted
            return task.result()
        finally:
            self._interruptible = None
            task.cancel()


class _PrepareProgress:
    """The progress of one `prepare`, and the image, which ends the time limit of the pull."""

    def __init__(
        self, job_state: JobState, say: Callable[[Progress | None], None], pull_limit: asyncio.Timeout
    ) -> None:
        self._job_state = job_state
        self._say = say
        self._pull_limit = pull_limit

    def report(self, progress: Progress) -> None:
        """See `port.protocols.PreparationProgress`."""
        self._say(progress)

    async def image_ready(self, image: ImageFacts) -> None:
        """Stores that the image is local. Raises StoreError."""
        if not self._pull_limit.expired():
            self._pull_limit.reschedule(None)
        self._say(None)
        await self._job_state.apply(facts.ImageReady(image))


class _Interrupted(Exception):
    """A user's request to end the job has cancelled the work."""
