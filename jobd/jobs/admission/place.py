"""One job's place: in the queue, then among the jobs that run. The job's supervisor has one, and nobody else moves a job.

Owns when a job waits, when a job runs, and when a job gives its place up. The order of the jobs is the queue's.
"""

from jobd.jobs.admission.queue import AdmissionQueue
from jobd.jobs.state.record import Record
from jobd.jobs.state.states import Queued


class Place:
    """The place of the job that `record` is of. Every call is safe to repeat."""

    def __init__(self, queue: AdmissionQueue, record: Record) -> None:
        self._queue = queue
        self._uid = record.uid
        self._attempt = record.attempt.number

    def take(self, record: Record) -> None:
        """Takes the place that the stored record gives the job: over the limit where the job was admitted before a restart; none while
        the job waits for its next attempt, or when it is over.
        """
        self._attempt = record.attempt.number
        if record.ended:
            return
        if not isinstance(record.state, Queued):
            self._queue.occupy(self._uid)
        elif record.state.retry is None:
            self._queue.enter(self._uid)

    async def admitted(self, record: Record) -> None:
        """Returns once the job is among those that run, or has left the queue meanwhile: its state says which."""
        self._attempt = record.attempt.number
        self._queue.enter(self._uid)
        await self._queue.admitted(self._uid)

    def follow(self, record: Record) -> None:
        """Gives the place up where the record has gone on to the next attempt, which queues like any other job."""
        if record.attempt.number != self._attempt:
            self._attempt = record.attempt.number
            self.leave()

    def leave(self) -> None:
        """Gives the place up."""
        self._queue.leave(self._uid)
