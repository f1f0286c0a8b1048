"""One job's slot: in the queue, then among the running jobs. Only the job's supervisor moves the job.

Owns when a job waits, runs and releases its slot. `queue.py` owns the order of the jobs.
"""

from jobd.jobs.admission.queue import AdmissionQueue
from jobd.jobs.state.record import Record
from jobd.jobs.state.states import Queued


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
        if not isinstance(record.state, Queued):
            self._queue.occupy(record)
        elif record.state.retry is None:
            self._queue.enter(record)

    async def admitted(self, record: Record) -> None:
        """Returns once the job is admitted or has left the queue: the job's state says which."""
        self._attempt = record.attempt.number
        self._queue.enter(record)
        await self._queue.admitted(self._uid)

    def follow(self, record: Record) -> None:
        """Releases the slot once the record is at the next attempt, which queues like any other job."""
        if record.attempt.number != self._attempt:
            self._attempt = record.attempt.number
            self.leave()

    def leave(self) -> None:
        """Releases the slot."""
        self._queue.leave(self._uid)
