"""Ended jobs, written straight into the store of a jobd that does not run yet: no container runs for them.

The rows, events and logs are encoded by jobd's own code, and look as those of jobs that have ended and whose containers are removed.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from jobd.events.delivery.queues.destination import destination_of
from jobd.jobs.job_repository import number, row_of
from jobd.jobs.log.log_storage import append_lines
from jobd.jobs.port.model import LOG_START, LogBatch, RawLine
from jobd.jobs.record.new_record import new_record
from jobd.jobs.record.parts import Ended, Image, Removal, Setup, WorkerContainer, WorkerUsage
from jobd.jobs.record.record import Record
from jobd.jobs.record.states import Done
from jobd.jobs.state.event_drafts import Draft, data_of
from jobd.process.state_folder import open_state
from jobd.store.sqlite.lock import StateLock
from jobd.store.store import Store
from jobd.store.tables.rows import Callback, LogChunk, Transition
from jobd.wire import event
from jobd.wire.job import JobSpec
from jobd.wire.validation.job_spec import convert_spec

AT_ONCE = 256
"""Commits that wait at once: the writer groups them."""
LOG_BYTES = 1 << 20
DIGEST = "sha256:" + 64 * "a"

_encoder = msgspec.json.Encoder(order="sorted")


def kept_id(index: int) -> str:
    """Returns the id of a kept job; all ids are of one length."""
    return f"kept-{index:05}"


def keep_jobs(state: Path, count: int) -> None:
    """Writes `count` completed jobs without a callback: each with a start, an exit and a complete event, and with one line of log."""
    began = datetime.now(UTC) - timedelta(seconds=count)
    _write(state, [_kept_job(kept_id(index), began + timedelta(seconds=index)) for index in range(count)])


def keep_undelivered(state: Path, jobs: int, events: int, url: str, key: str) -> None:
    """Writes `jobs` completed jobs, each with `events` log events that jobd must still deliver to `url`."""
    now = datetime.now(UTC)
    callback = {"url": url, "key": key}
    _write(state, [_undelivered_job(kept_id(index), now, callback, events) for index in range(jobs)])


def _write(state: Path, transitions: list[Transition]) -> None:
    folder = open_state(state)

    async def write() -> None:
        store = await Store.open(folder.database)
        try:
            for first in range(0, len(transitions), AT_ONCE):
                await asyncio.gather(*map(store.commit, transitions[first : first + AT_ONCE]))
        finally:
            await store.close()

    with StateLock(folder.path):
        asyncio.run(write())


def _kept_job(job_id: str, created: datetime) -> Transition:
    spec = convert_spec(
        {"id": job_id, "image": "busybox:latest", "command": ["true"], "labels": {"sweep": "7"}}
    )
    record = _ended(spec, created)
    line = RawLine("stdout", event.rfc3339(created), f"the only line of {job_id}")
    batch = append_lines(record, LogBatch([line], LOG_START), LOG_BYTES)
    drafts = (
        Draft(event.START, data_of(record, spec, image=spec.image)),
        Draft(event.EXIT, data_of(record, spec, exitCode=0)),
        Draft(event.COMPLETE, data_of(record, spec, status="completed", exitCode=0)),
    )
    numbered, events = number(batch.record, spec, drafts, created)
    return Transition(
        job=row_of(numbered, spec, _encoder.encode(spec)),
        events=events,
        logs=(LogChunk(batch.first_seq, batch.last_seq, batch.line_count, batch.frames),),
        claim_id=True,
    )


def _undelivered_job(job_id: str, now: datetime, callback: dict[str, str], events: int) -> Transition:
    spec = convert_spec({"id": job_id, "image": "busybox:latest", "command": ["true"], "callback": callback})
    record = _ended(spec, now)
    lines = ["x" * 80] * 3
    drafts = [Draft(event.LOG, data_of(record, spec, lines=lines, stream="stdout")) for _ in range(events)]
    numbered, stored = number(record, spec, drafts, now)
    url = callback["url"]
    return Transition(
        job=row_of(numbered, spec, _encoder.encode(spec)),
        events=stored,
        callback=Callback(url, callback["key"], destination_of(url)),
        claim_id=True,
    )


def _ended(spec: JobSpec, created: datetime) -> Record:
    """Returns the record of a job that ran for half a second, and whose containers are removed."""
    started, exited = created + timedelta(seconds=0.2), created + timedelta(seconds=0.7)
    setup = Setup(admitted_at=created, image=Image(id=DIGEST), worker=WorkerContainer(id=64 * "b"))
    worker = Ended(
        asked_at=created,
        started_at=started,
        exited_at=exited,
        exit_code=0,
        usage=WorkerUsage(cpu_s=0.01, memory_peak_bytes=1 << 20),
    )
    queued = new_record(spec, now=created, owner=None, digest=64 * "c", has_spool=False)
    state = Done(finished_at=exited, setup=setup, worker=worker, removal=Removal(at=exited))
    return queued.change(image_digest=DIGEST).with_state(state)
