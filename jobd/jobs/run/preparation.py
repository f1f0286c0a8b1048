"""The actions before a worker's start: the image, the containers, the sidecar.

Owns how these actions are executed and the resulting facts; a user's request to end the job interrupts a pull. `next_action.py`
decides which action is next; `execution.py` has the worker's run.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from jobd.jobs.port.errors import EngineError, EngineUnavailable, ImageUnavailable
from jobd.jobs.port.model import WorkOrder
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.run.job_state import JobState
from jobd.jobs.run.sidecar_order import sidecar_order
from jobd.jobs.state import facts
from jobd.jobs.state.observed_state import ObservedState

PULL_LIMIT_S = 1800.0

T = TypeVar("T")


class Preparation:
    """`say` gets the progress of a pull, for people. Every call is safe to repeat; EngineUnavailable and StoreError mean that the
    caller repeats the call.
    """

    def __init__(
        self,
        job_state: JobState,
        observed_state: ObservedState,
        deps: Dependencies,
        say: Callable[[str], None],
    ) -> None:
        self._job_state = job_state
        self._observed_state = observed_state
        self._deps = deps
        self._say = say
        self._interruptible: asyncio.Task[Any] | None = None

    def interrupt(self) -> None:
        """Cancels a pull: a user wants the job to end."""
        if self._interruptible is not None:
            self._interruptible.cancel()

    async def pull(self) -> None:
        """Pulls the images."""
        engine, spec = self._deps.engine, self._job_state.spec
        try:
            async with asyncio.timeout(PULL_LIMIT_S):
                image = await self._unless_interrupted(
                    engine.ensure_image(spec.image, spec.pull, spec.platform, self._say)
                )
                if spec.needs_sidecar:
                    await self._unless_interrupted(engine.ensure_sidecar_image())
        except ImageUnavailable as error:
            await self._job_state.apply(facts.SetupFailed(error.code, error.advice))
        except TimeoutError:
            await self._job_state.apply(
                facts.SetupFailed("image-not-found", "the image was not pulled within half an hour")
            )
        except _Interrupted:
            return
        else:
            await self._job_state.apply(facts.ImageReady(image))

    async def create(self) -> None:
        """Creates the containers. The caller has stopped following an earlier sidecar."""
        engine, spec, ref = self._deps.engine, self._job_state.spec, self._job_state.ref
        record = self._job_state.record
        image = record.setup.image if record.setup else None
        order = WorkOrder(
            ref,
            spec,
            sidecar=spec.needs_sidecar,
            image_user=image.user if image else None,
            gpus=tuple(record.setup.gpus) if record.setup else (),
        )
        files = self._deps.spool_path(record.uid) if record.has_spool else None
        try:
            if record.phase == "inputs":
                # The sidecar has run and no other container has: jobd reuses no old container. A sidecar that has refused its order
                # may be about to end.
                await engine.signal(ref, "sidecar", "SIGKILL")
                await engine.remove_stopped(ref)
            created = await engine.create(order, files)
        except EngineUnavailable:
            raise
        except EngineError as error:
            await self._job_state.apply(facts.SetupFailed(error.code, error.advice))
        else:
            if record.phase == "running" and created.sidecar_id != record.sidecar_id:
                why = "the sidecar was removed before the worker was started, and the job's inputs with it"
                await self._job_state.apply(facts.SetupFailed("input-failed", why))
                return
            await self._job_state.apply(facts.Prepared(created))

    async def start_sidecar(self) -> None:
        """Starts the sidecar with its order, unless a user has cancelled the job meanwhile."""
        job_state = self._job_state
        await job_state.apply(facts.SidecarStarting())
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
            await self._deps.engine.start_sidecar(job_state.ref, order)
            job_state.order_given = True
        except EngineUnavailable:
            raise
        except EngineError as error:
            await job_state.apply(
                facts.SetupFailed("input-failed", f"the sidecar did not start: {error.advice}")
            )

    async def _unless_interrupted(self, work: Coroutine[Any, Any, T]) -> T:
        """Returns what `work` returns. Raises _Interrupted: `interrupt` was called first, and `work` was cancelled."""
        if self._job_state.record.ended:
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


class _Interrupted(Exception):
    """A user's request to end the job has cancelled the work."""
