"""One job's slot: in the queue, then among the running jobs. Only the job's supervisor moves the job.

Owns when a job waits, runs and releases its slot. `queue.py` owns the order of the jobs.
"""

from jobd.jobs.admission.queue import AdmissionQueue
from jobd.jobs.admission.scheduling.dependency_graph import DependencyEnd
from jobd.jobs.record.record import Record
from jobd.jobs.record.states import Queued
from jobd.wire.views.job import UNREADABLE


class Slot:
    """The slot of `record`'s job. Every call is safe to repeat."""

    def __init__(self, queue: AdmissionQueue, record: Record) -> None:
        self._queue = queue
        self._uid = record.uid
        self._attempt = record.attempt.number

    def take(self, record: Record) -> None:
        """Takes the slot that the stored record gives the job: over the limit if the job was admitted before a restart; no slot while
        the job waits for its next attempt, or after the job's end.
        """
        self._attempt = record.attempt.number
        if record.ended:
            return
        if self.waits(record):
            self._queue.enter(record)
        elif not isinstance(record.state, Queued):
            self._queue.occupy(record)

    @staticmethod
    def waits(record: Record) -> bool:
        """Returns whether the job waits for a place, and for no time before that."""
        return isinstance(record.state, Queued) and record.state.retry is None

    def enter(self, record: Record) -> None:
        """Puts the job into the queue."""
        self._attempt = record.attempt.number
        self._queue.enter(record)

    async def changed(self) -> None:
        """Returns once the job is admitted, has `news`, or has left the queue."""
        await self._queue.changed(self._uid)

    @property
    def news(self) -> DependencyEnd | None:
        """The end of a dependency that the record has not taken in yet."""
        return self._queue.news(self._uid)

    @property
    def gpus(self) -> tuple[str, ...] | None:
        """The job's GPUs from its admission until the job leaves; None at any other time."""
        return self._queue.gpus_of(self._uid)

    def follow(self, record: Record) -> None:
        """Takes in a change of the record: releases the slot once the record is at the next attempt, which queues like any other job;
        tells the dependents of an ended job.
        """
        if record.attempt.number != self._attempt:
            self._attempt = record.attempt.number
            self.leave()
        if record.ended:
            self._queue.job_ended(self._uid, record.status)
        elif isinstance(record.state, Queued):
            self._queue.update(record)

    def end(self, record: Record) -> None:
        """Releases the slot of an ended job, and tells the dependents, also if no call of `follow` got the end."""
        self.follow(record)
        self.leave()

    def leave(self) -> None:
        """Releases the slot."""
        self._queue.leave(self._uid)

    def give_up(self) -> None:
        """Releases the slot of a job that cannot be read: its dependents would wait for ever."""
        self.leave()
        self._queue.job_ended(self._uid, UNREADABLE)
