"""The errors of the Python client beside those of `jobctl.errors`, and the notes that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from jobctl.errors import JobctlError, Misuse, Refused
from jobctl.output.explanation.explanation import explanation

if TYPE_CHECKING:
    from jobd.wire.views.job import JobView


class InvalidJob(Misuse):
    """A field of the job is wrong: `field` names it as a job file does. No job was submitted."""

    code = "invalid-spec"


class WaitTimedOut(JobctlError, TimeoutError):
    """The time of a wait has passed. The job goes on."""

    code = "wait-timed-out"


class JobFailed(JobctlError):
    """The job did not complete. `job`: its last state, with `status`, `reason`, `exit_code` and `error`."""

    code = "job-failed"

    def __init__(self, job: JobView) -> None:
        text = explanation(msgspec.to_builtins(job))
        causes = [part for part in (text.what, text.cause.replace("\n", "; "), *text.artifacts) if part]
        super().__init__(f"{job.id} {job.status}: {'; '.join(causes)}", hint="; ".join(text.remedies) or None)
        self.job = job

    def __reduce__(self) -> tuple[type[JobFailed], tuple[JobView]]:
        return type(self), (self.job,)


class JobCancelled(JobFailed):
    """The job was cancelled: by a person, or since a job that it waited for did not end as needed."""

    code = "job-cancelled"


def failure(job: JobView) -> JobFailed:
    """Returns the error of a job that has not completed."""
    return JobCancelled(job) if job.status == "cancelled" else JobFailed(job)


@contextmanager
def explained() -> Iterator[None]:
    """Adds the hint of an error as a note, which Python prints below the message. An invalid field becomes `InvalidJob`."""
    try:
        yield
    except JobctlError as error:
        refused = isinstance(error, Refused) and error.code == InvalidJob.code
        if refused or (type(error) is Misuse and error.field):
            invalid = InvalidJob(error.message, field=error.field, hint=error.hint)
            raise _noted(invalid) from None
        _noted(error)
        raise


def _noted(error: JobctlError) -> JobctlError:
    if error.hint and not getattr(error, "__notes__", None):
        error.add_note(error.hint)
    return error
