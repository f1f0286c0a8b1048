"""The Python client of jobd: submit jobs, wait for them, read their logs, events and files. docs/python.md shows how.

`Client` is synchronous, and works in any thread, also where an event loop runs, as in a notebook. `AsyncClient` has the same methods as
coroutines.

The names in `__all__` are public. Within `__version__` 1 they keep their meaning, and later versions add names and parameters; a client
works with every jobd of its own version or a later one.
"""

from jobctl.errors import (
    Conflict,
    ConnectionLost,
    JobctlError,
    LocalFile,
    Misuse,
    NotAllowed,
    NotFound,
    OutputMissing,
    Refused,
    Unreachable,
)
from jobctl.sdk.async_client import AsyncClient
from jobctl.sdk.async_job import AsyncJob
from jobctl.sdk.client import Client
from jobctl.sdk.errors import InvalidJob, JobCancelled, JobFailed, WaitTimedOut
from jobctl.sdk.fields import JobFields
from jobctl.sdk.job import Job
from jobctl.sdk.models import Event, JobStatus, LogLine
from jobctl.sdk.streams import Stream
from jobd.wire.views.job import JobView

__version__ = "1.0"

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "Client",
    "Conflict",
    "ConnectionLost",
    "Event",
    "InvalidJob",
    "Job",
    "JobCancelled",
    "JobFailed",
    "JobFields",
    "JobStatus",
    "JobView",
    "JobctlError",
    "LocalFile",
    "LogLine",
    "Misuse",
    "NotAllowed",
    "NotFound",
    "OutputMissing",
    "Refused",
    "Stream",
    "Unreachable",
    "WaitTimedOut",
    "__version__",
]
