"""The only path by which a job's record changes: numbered events, one durable commit, then a notification of the watchers.

Owns the order: a change is stored before jobd announces the change. Event numbers come from the record, so a change that was not
stored leaves no gap. A record replaces only the version that the record was derived from (optimistic locking): a caller that has
read an older version gets StaleJob, reads again and decides again.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from datetime import datetime

from jobd.clock import Clock
from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.feed import Feed
from jobd.jobs.change_notifier import ChangeNotifier
from jobd.jobs.log.log_storage import Batch, mark_damaged
from jobd.jobs.record.record import Record
from jobd.jobs.record.record_form import encode_record
from jobd.jobs.state.event_drafts import Draft
from jobd.jobs.state.run_times import not_before
from jobd.jobs.state.step import Step
from jobd.jobs.storage import Transitions
from jobd.jobs.stored import record_of, spec_of
from jobd.store.errors import NoSuchJob, StaleJob
from jobd.store.tables.jobs.ends import PHASES
from jobd.store.tables.rows import Callback, Ending, JobRow, LogChunk, NewEvent, Transition
from jobd.wire import event
from jobd.wire.job import JobSpec

DELIVERED_LOOK_S = 0.02
MAX_TRIES = 8
"""How often a change is decided again after concurrent writes to the same job."""


class JobRepository:
    """Stores changes of records with the events that announce them, and wakes the watchers and the dispatcher."""

    def __init__(
        self,
        store: Transitions,
        feed: Feed,
        dispatcher: Dispatcher,
        change_notifier: ChangeNotifier,
        clock: Clock,
    ) -> None:
        self._store = store
        self._feed = feed
        self._dispatcher = dispatcher
        self._change_notifier = change_notifier
        self._clock = clock

    async def open(
        self,
        record: Record,
        spec: JobSpec,
        spec_bytes: bytes,
        callback: Callback | None,
        changed: Record | None = None,
    ) -> None:
        """Stores a new job, and in the same commit the change of an earlier job that `changed` is; durable when this returns.

        Raises:
            IdTaken: another job holds the id. StaleJob: the earlier job has changed since it was read. StoreFull, StoreFailed: nothing was stored.
        """
        row = row_of(record, spec, spec_bytes)
        also = None if changed is None else row_of(changed.change(version=changed.version + 1), spec)
        await self._store.commit(Transition(job=row, callback=callback, claim_id=True, also=also))
        if changed is not None:
            self._change_notifier.notify(changed.uid)

    async def change(
        self, record: Record, spec: JobSpec, drafts: Iterable[Draft] = (), batch: Batch | None = None
    ) -> Record:
        """Stores `record` with its events and log lines in one commit; returns it with its counters moved on.

        Raises:
            StaleJob: the stored record is not the version that `record` was made from. NoSuchJob: the job is purged.
            StoreFull, StoreFailed: the change may not be stored; if the change is stored, the next one gets StaleJob.
        """
        numbered, events = number(record, spec, drafts, self._clock.now())
        numbered = numbered.change(version=record.version + 1)
        chunks: tuple[LogChunk, ...] = ()
        if batch is not None and batch.frames:
            chunks = (LogChunk(batch.first_seq, batch.last_seq, batch.line_count, batch.frames),)
        stored = await self._store.commit(Transition(job=row_of(numbered, spec), events=events, logs=chunks))
        if stored:
            self._feed.publish(stored)
            if spec.callback is not None:
                self._dispatcher.notify(record.uid)
        self._change_notifier.notify(record.uid)
        return numbered

    async def transition(self, uid: str, decide: Callable[[Record, JobSpec], Step]) -> Record:
        """Stores the step that `decide` returns for the stored job; for a job without a supervisor.

        Raises:
            NoSuchJob: the job is purged. UnreadableJob: the job is damaged. StoreFull, StoreFailed, StaleJob: safe to repeat.
        """
        for _ in range(MAX_TRIES):
            row = await self._store.get_by_uid(uid)
            if row is None:
                raise NoSuchJob(f"no job with uid {uid!r}")
            record, spec = record_of(row), spec_of(row)
            step = decide(record, spec)
            if step.record == record and not step.drafts:
                return record
            with contextlib.suppress(StaleJob):
                return await self.change(step.record, spec, step.drafts)
        raise StaleJob(f"job {uid!r} changes too often; nothing was stored")

    async def spec(self, uid: str) -> JobSpec:
        """Returns a job's submitted spec, without the values of its secrets; up to 1 MiB, so a caller holds the spec only while
        needed. Raises NoSuchJob: the job is purged. UnreadableJob: the job is damaged. StoreError.
        """
        row = await self._store.get_by_uid(uid)
        if row is None:
            raise NoSuchJob(f"no job with uid {uid!r}")
        return spec_of(row)

    async def uid_of(self, job_id: str) -> str | None:
        """Returns the uid of the newest job with this id, None if there is none or a user has deleted the job. Raises StoreError."""
        row = await self._store.get_by_id(job_id)
        return None if row is None else row.uid

    async def holder_of(self, job_id: str) -> JobRow | None:
        """Returns the row of the job that holds this id; None if the id is free, or its job is being deleted. Raises StoreError."""
        row = await self._store.get_by_id(job_id)
        return row if row is not None and row.holds_id else None

    async def stored(self, uid: str) -> Record | None:
        """Returns a job's stored record, None if the job is purged. Raises StoreError."""
        row = await self._store.get_by_uid(uid)
        return record_of(row) if row else None

    async def log_frames(self, uid: str, after_seq: int, max_bytes: int) -> bytes:
        """Returns stored log frames after line `after_seq`, whole chunks, about `max_bytes`. Raises StoreError."""
        chunks = await self._store.log_chunks(uid, after_seq, max_bytes)
        return b"".join(mark_damaged(chunk, self._clock.now()).data for chunk in chunks)

    async def delivered(self, uid: str, limit_s: float) -> None:
        """Returns once the job has no pending delivery, or after `limit_s`. Raises StoreError."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while await self._store.due_of([uid]):
                    await self._clock.sleep(DELIVERED_LOOK_S)


def number(
    record: Record, spec: JobSpec, drafts: Iterable[Draft], now: datetime
) -> tuple[Record, tuple[NewEvent, ...]]:
    """Returns the drafts as events with ids, and the record with the new counts. Pure.

    `jobsequence` counts the events that pass the callback's filter (all without a callback); other events have none.
    """
    count, sequence = record.events.count, record.events.sequence
    events: list[NewEvent] = []
    for draft in drafts:
        count += 1
        passes = not draft.sent and (spec.callback is None or spec.callback.wants(draft.type))
        sequence += passes
        event_id = f"{record.uid}-{draft.key or count}"
        body = event.encode(
            event_id=event_id,
            type=draft.type,
            job_id=record.id,
            job_uid=record.uid,
            timestamp=not_before(record, now),
            sequence=sequence if passes else None,
            data=draft.data,
            trace=(record.trace.parent, record.trace.state) if record.trace else (None, None),
        )
        deliver = passes and spec.callback is not None
        events.append(
            NewEvent(event_id=event_id, type=draft.type, body=body, created_at=now, deliver=deliver)
        )
    if not events:
        return record, ()
    return record.change(events=record.events.change(count=count, sequence=sequence)), tuple(events)


def row_of(record: Record, spec: JobSpec, spec_bytes: bytes = b"") -> JobRow:
    """Returns the stored row: the searchable columns, and the record itself. Pure.

    A deleted job is hidden at once, and keeps its id until its containers are removed.
    """
    is_gone = record.removal is not None
    return JobRow(
        uid=record.uid,
        id=record.id,
        owner=record.owner,
        status=record.status,
        labels=spec.labels,
        created_at=record.created_at,
        finished_at=record.finished_at,
        live=not is_gone,
        hidden=record.is_deleted,
        holds_id=not is_gone,
        record=encode_record(record),
        spec=spec_bytes,
        version=record.version,
        set_name=spec.set or None,
        waiting=record.phase == "queued",
        ending=_ending(record, spec) if record.ended else None,
    )


def _ending(record: Record, spec: JobSpec) -> Ending:
    spent = tuple(record.spent.get(phase) for phase in PHASES)
    return Ending(
        reason=record.reason, image=record.image or spec.image, group=record.scheduling.group, spent=spent
    )
