"""A stored job with a view of its log, for tests of the log."""

import asyncio
from typing import Any

import msgspec

from jobd.jobs.log.live_output import LiveOutput, LiveOutputs
from jobd.jobs.log.log_storage import append_lines
from jobd.jobs.log.log_view import LogQuery, LogView
from jobd.jobs.port.model import LOG_START, LogBatch, RawLine, StreamName
from jobd.jobs.record.parts import Ended, Failure
from jobd.jobs.record.record import Record
from jobd.jobs.record.states import Done
from jobd.wire.job import JobSpec

SPEC = JobSpec(id="a", image="b")
DEADLINE_S = 60.0


FOLLOW = LogQuery(follow=True, unfinished=True)


class Log:
    """A stored job with a view of its log: `write` adds lines, `finish` ends the job."""

    def __init__(self, system: Any, record: Record) -> None:
        self.system = system
        self.record = record
        self.outputs = LiveOutputs()
        self.view = LogView(system.store, system.change_notifier, self._current, system.budget, self.outputs)

    def print(self) -> LiveOutput:
        """Returns the output of a worker that has just started."""
        output = LiveOutput(self.record.log.seq, lambda: self.system.change_notifier.notify(self.record.uid))
        self.outputs.put(self.record.uid, output)
        return output

    async def _current(self, record: Record) -> Record:
        return self.record

    async def write(self, *lines: str, stream: StreamName = "stdout") -> None:
        raw = [RawLine(stream, "2030-01-01T00:00:00Z", text) for text in lines]
        batch = append_lines(self.record, LogBatch(raw, LOG_START), 1 << 20)
        self.record = await self.system.repository.change(batch.record, SPEC, (), batch)
        if (output := self.outputs.of(self.record.uid)) is not None:
            output.stored(raw, batch.first_seq, batch.last_seq)

    async def finish(self) -> None:
        now = self.system.clock.now()
        worker, failure = Ended(asked_at=now, exit_code=3), Failure(reason="exit-code")
        ended = self.record.with_state(Done(finished_at=now, worker=worker, failure=failure))
        self.record = await self.system.repository.change(ended, SPEC)

    async def read(self, **query: Any) -> list[Any]:
        async with asyncio.timeout(DEADLINE_S):
            parts = [part async for part in self.view.frames(self.record, LogQuery(**query))]
        whole = b"".join(parts)
        assert not whole or whole.endswith(b"\n")
        return [msgspec.json.decode(frame) for frame in whole.splitlines() if frame]
