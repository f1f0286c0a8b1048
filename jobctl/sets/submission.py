"""Submits the jobs of a set over few connections.

A job is sent once all jobs that it waits for are accepted. The first job is sent alone: a set's id that belongs to other jobs is refused
before anything is submitted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from jobctl.errors import JobctlError, Misuse
from jobctl.job.plan import Plan
from jobctl.job.submission import Source, encoded, submit
from jobctl.sets.planning import PlannedJob, SetPlan
from jobctl.value import Value

if TYPE_CHECKING:
    from jobctl.connection.client import Client

CONNECTIONS = 4
Answer = dict[str, Any]


class Submitted(Value):
    """How many jobs jobd has accepted, and how many of these it had before."""

    accepted: int
    known: int


def check_specs(planned: SetPlan, source: Source) -> None:
    """Checks each job as jobd does, before any job is submitted. Raises Misuse: names the job and the field."""
    from jobctl.imports import import_aside

    import_aside("jobd.wire.validation.job_spec")
    from jobd.wire.problem import InvalidSpec
    from jobd.wire.validation.job_spec import decode_spec

    for job in planned.jobs:
        try:
            decode_spec(encoded(job.plan.spec))
        except InvalidSpec as error:
            first = error.problems[0]
            with source.located():
                raise Misuse(
                    f"{job.id}: {first.message}", field=first.field or None, code="invalid-spec"
                ) from None


def submit_set(
    client: Client, planned: SetPlan, source: Source, on_accepted: Callable[[int], None]
) -> Submitted:
    """Submits all jobs. Calls `on_accepted` with the number of accepted jobs, from this thread alone.

    Raises:
        JobctlError: jobd refuses a job, or cannot be reached; no further job is sent. The hint says how to continue.
        KeyboardInterrupt: no further job is sent.
    """
    submission = _Submission(client, source)
    try:
        for wave in waves(planned.jobs):
            submission.send(wave, on_accepted)
    except JobctlError as error:
        if submission.accepted:
            error.message += (
                f" ({submission.accepted} of {len(planned.jobs)} jobs of {planned.id} are submitted)"
            )
            error.hint = f"the same command with --set {planned.id} submits the others; jobctl cancel --set {planned.id} ends these"
        if error.code == "exists":
            error.hint = f"the set {planned.id} has another job of this id; name another set: --set NAME"
        raise
    return Submitted(submission.accepted, submission.known)


def waves(jobs: Sequence[PlannedJob]) -> Iterator[list[PlannedJob]]:
    """Yields the jobs in parts: no job waits for another one of its part. The first part is one job."""
    part: list[PlannedJob] = []
    ids: set[str] = set()
    for number, job in enumerate(jobs):
        if part and (number == 1 or not ids.isdisjoint(job.after)):
            yield part
            part, ids = [], set()
        part.append(job)
        ids.add(job.id)
    if part:
        yield part


class _Submission:
    def __init__(self, client: Client, source: Source) -> None:
        self._client = client
        self._source = source
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        self.accepted = 0
        self.known = 0

    def send(self, wave: list[PlannedJob], on_accepted: Callable[[int], None]) -> None:
        jobs = iter(wave)
        threads = [
            threading.Thread(target=self._work, args=(jobs,), daemon=True)
            for _ in range(min(CONNECTIONS, len(wave)))
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.2)
                    on_accepted(self.accepted)
        except BaseException as error:
            self._failure = self._failure or error
            for thread in threads:
                thread.join(10)
            raise
        on_accepted(self.accepted)
        if self._failure is not None:
            raise self._failure

    def _work(self, jobs: Iterator[PlannedJob]) -> None:
        while True:
            with self._lock:
                job = None if self._failure else next(jobs, None)
            if job is None:
                return
            try:
                answer = submit(self._client, job.plan, self._source, keep=True, again=True)
                _remember(job.plan, answer)
            except BaseException as error:
                if isinstance(error, JobctlError) and job.id not in error.message:
                    error.message = f"{job.id}: {error.message}"
                with self._lock:
                    self._failure = self._failure or error
                return
            with self._lock:
                self.accepted += 1
                self.known += "createdAt" in answer


def _remember(plan: Plan, answer: Answer) -> None:
    if plan.fetches:
        from jobctl.transfers.local_outputs import remember

        remember(str(answer.get("uid") or ""), plan.fetches)
