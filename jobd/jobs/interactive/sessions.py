"""Attaches clients to workers, and runs commands beside them, as the API asks.

Owns which jobs a client may attach to, and the order of a session: wait for the start, attach, print, report the end. The tasks of a
session are in `streams.py`.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from jobd.errors import Conflict, NotFound
from jobd.jobs.change_notifier import ChangeNotifier
from jobd.jobs.interactive.access import check_client, check_user
from jobd.jobs.interactive.attachments import Arrival, Attachments
from jobd.jobs.interactive.client import Client
from jobd.jobs.interactive.inputs import Inputs
from jobd.jobs.interactive.sizes import follow_size
from jobd.jobs.interactive.streams import KEEP_ALIVE_S, QUIET_S, Wiring
from jobd.jobs.port.errors import ContainerGone, EngineUnavailable
from jobd.jobs.port.interactive import InteractiveEngine, ProcessInput, WorkerOutput
from jobd.jobs.port.model import Command, JobRef, WindowSize
from jobd.jobs.record.parts import Caller, Started
from jobd.jobs.record.record import Record
from jobd.jobs.run.supervisors import Supervisors
from jobd.jobs.state import facts, freezing
from jobd.jobs.storage import Jobs
from jobd.jobs.stored import record_of, spec_of
from jobd.store.errors import NoSuchJob
from jobd.wire.job import JobSpec
from jobd.wire.terminal import Attached, ExecRequest, Exit, Status
from jobd.wire.views.log import End

STARTS_S = 10.0
"""`jobctl exec` right after `jobctl run -d` finds a command that is about to start."""
_BEFORE_START = ("pulling", "creating", "inputs", "running")


class SessionEngine(WorkerOutput, InteractiveEngine, Protocol):
    """The calls of sessions."""


@dataclass(frozen=True, slots=True)
class Target:
    """A job whose command has not ended. `client`: the user at the other end of the Unix socket, None over TCP."""

    record: Record
    spec: JobSpec
    client: Caller | None = None


class Sessions:
    """Serves the clients of the attach and exec endpoints. `current` returns a job's present record, None if the job is purged."""

    def __init__(
        self,
        store: Jobs,
        supervisors: Supervisors,
        engine: SessionEngine,
        change_notifier: ChangeNotifier,
        attachments: Attachments,
        inputs: Inputs,
        current: Callable[[Record], Coroutine[Any, Any, Record | None]],
    ) -> None:
        self._store = store
        self._supervisors = supervisors
        self._engine = engine
        self._change_notifier = change_notifier
        self._attachments = attachments
        self._inputs = inputs
        self._current = current

    async def target(self, job_id: str, client: Caller | None = None, *, running: bool = False) -> Target:
        """Returns the newest job with this id. `running`: its command must run; the call waits `STARTS_S` for a job that has its turn.

        Raises: NotFound. Conflict: the command has ended, or does not run. Forbidden: the job has the rights of another user. UnreadableJob.
        """
        row = await self._store.get_by_id(job_id)
        if row is None:
            raise NotFound(f"no job {job_id!r}")
        supervisor = self._supervisors.get(row.uid)
        record = supervisor.record if supervisor else record_of(row)
        check_client(record, client)
        if running:
            record = await self._starting(record) or record
        if record.worker_over:
            raise Conflict(
                f"the command of job {job_id!r} has ended; its output: jobctl logs {job_id}",
                code="command-ended",
            )
        if freezing.is_frozen(record.worker):
            raise Conflict(f"job {job_id!r} is paused; run: jobctl resume {job_id}", code="paused")
        if running and not isinstance(record.worker, Started):
            raise Conflict(
                f"the command of job {job_id!r} has not started yet ({record.phase}); to wait for it: jobctl attach {job_id}",
                code="not-running",
            )
        return Target(record, spec_of(row), client)

    async def _starting(self, record: Record) -> Record | None:
        """Returns the record once its command has started or ended, at once for a job in the queue, or after `STARTS_S`."""
        now: Record | None = record
        with self._change_notifier.watch(record.uid) as news:
            try:
                async with asyncio.timeout(STARTS_S):
                    while (
                        now is not None and now.phase in _BEFORE_START and not isinstance(now.worker, Started)
                    ):
                        await news.wait()
                        news.clear()
                        now = await self._current(record)
            except TimeoutError:
                pass
        return now

    async def attach(self, target: Target, client: Client, *, stdin: bool) -> None:
        """Serves a client until the job's end, or until the client leaves. `stdin`: the client feeds the command, if its spec has `stdin`.

        Raises: Conflict: another client feeds the command. EngineError. InvalidRequest: the client breaks the protocol.
        """
        wiring = Wiring(client)

        async def ending() -> None:
            if not target.spec.tty:
                await self._apply(target, facts.InputEnding())

        await wiring.run(self._attach(target, client, wiring, stdin and target.spec.stdin), ending)

    async def execute(self, target: Target, request: ExecRequest, client: Client) -> None:
        """Runs a command beside the job's own until the command's end, or until the client leaves.

        Raises: Forbidden: the command may not run as that user; and as `attach`.
        """
        check_user(target.record, target.client, request.user)
        wiring = Wiring(client)
        await wiring.run(self._execute(target, request, client, wiring), _nothing)

    async def _attach(self, target: Target, client: Client, wiring: Wiring, feeds: bool) -> None:
        async with AsyncExitStack() as stack:
            news = stack.enter_context(self._change_notifier.watch(target.record.uid))
            arrival = stack.enter_context(self._attachments.arrive(target.record.uid, news))
            ref = await self._attachable(target, arrival)
            if ref is not None:
                try:
                    output = await stack.enter_async_context(self._engine.output(ref))
                    stream = await stack.enter_async_context(self._input(target, ref)) if feeds else None
                except ContainerGone:
                    if not await self._is_over_soon(target):
                        raise
                else:
                    arrival.attached.set()
                    wiring.stream.set_result(stream)
                    await client.status(Status(attached=Attached(tty=target.spec.tty, stdin=feeds)))
                    if target.spec.tty:
                        sizes = follow_size(
                            wiring,
                            lambda size: self._engine.resize(ref, size),
                            redraws=target.record.started_at is not None,
                        )
                        stack.push_async_callback(
                            _cancelled, asyncio.create_task(sizes, name="resize terminal")
                        )
                    try:
                        await wiring.print(output.pieces(), lambda: self._is_over(target))
                        await output.check_end()
                    except EngineUnavailable:
                        if not await self._never_ran(target):
                            raise  # a part of the output is missing
        await client.status(Status(end=await self._end(target)))

    async def _attachable(self, target: Target, arrival: Arrival) -> JobRef | None:
        """Returns the attempt once the client may attach to it; None: the command has ended, or never ran."""
        while True:
            arrival.wake.clear()
            record = await self._current(target.record)
            if record is None or record.worker_over:
                return None
            if record.worker is not None or arrival.may_attach:
                return _ref(record)
            await _news(arrival.wake)

    def _input(self, target: Target, ref: JobRef) -> AbstractAsyncContextManager[ProcessInput]:
        if target.spec.tty:
            return self._engine.input(ref)
        return self._inputs.lease(ref, lambda: self._apply(target, facts.InputOpening()))

    async def _execute(self, target: Target, request: ExecRequest, client: Client, wiring: Wiring) -> None:
        async with AsyncExitStack() as stack:
            command = _command(request)
            process = await stack.enter_async_context(self._engine.execute(_ref(target.record), command))
            wiring.stream.set_result(process if request.stdin else None)
            await client.status(Status(attached=Attached(tty=request.tty, stdin=request.stdin)))
            if request.tty:
                wiring.take_size(command.size)
                sizes = follow_size(wiring, process.resize)
                stack.push_async_callback(_cancelled, asyncio.create_task(sizes, name="resize terminal"))
            await wiring.print(process.output(), lambda: self._is_over(target))
            await client.status(Status(exit=Exit(exit_code=await process.exit_code())))

    async def _apply(self, target: Target, fact: facts.Fact) -> None:
        supervisor = self._supervisors.get(target.record.uid)
        if supervisor is None:
            raise ContainerGone(f"job {target.record.id} has ended")
        try:
            await supervisor.apply(fact)
        except NoSuchJob:
            raise ContainerGone(f"job {target.record.id} is removed") from None

    async def _is_over(self, target: Target) -> bool:
        record = await self._current(target.record)
        return record is None or record.worker_over

    async def _never_ran(self, target: Target) -> bool:
        """Returns whether the worker's start has failed: its output then ends as one that is cut."""
        if not await self._is_over_soon(target):
            return False
        record = await self._current(target.record)
        return record is None or record.started_at is None

    async def _is_over_soon(self, target: Target) -> bool:
        with self._change_notifier.watch(target.record.uid) as news:
            try:
                async with asyncio.timeout(QUIET_S):
                    while not await self._is_over(target):
                        await _news(news)
                        news.clear()
            except TimeoutError:
                return False
            return True

    async def _end(self, target: Target) -> End:
        """Returns how the job ended, once it has ended: a client gets signs of life meanwhile."""
        with self._change_notifier.watch(target.record.uid) as news:
            while True:
                news.clear()
                record = await self._current(target.record)
                if record is None:
                    return End(status="cancelled", exit_code=None, reason="deleted")
                if record.ended:
                    return End(status=record.status, exit_code=record.exit_code, reason=record.reason)
                await _news(news)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _news(news: asyncio.Event) -> None:
    """Waits for a change of the job, for a bounded time: the caller looks again."""
    try:
        async with asyncio.timeout(KEEP_ALIVE_S):
            await news.wait()
    except TimeoutError:
        pass
    news.clear()


def _ref(record: Record) -> JobRef:
    return JobRef(record.uid, record.id, record.attempt.number)


async def _nothing() -> None:
    pass


def _command(request: ExecRequest) -> Command:
    size = None if request.size is None else WindowSize(request.size.columns, request.size.rows)
    return Command(
        arguments=tuple(request.command),
        stdin=request.stdin,
        tty=request.tty,
        environment=request.environment,
        workdir=request.workdir,
        user=request.user,
        size=size,
    )
