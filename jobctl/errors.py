"""The errors of jobctl.

    JobctlError
      Misuse               the command line or a job file is invalid
      Unreachable          the daemon does not answer
      ConnectionLost       the connection to the daemon broke, and jobctl could not reconnect
      NotFound             the job, delivery or file does not exist
      NotAllowed           the key is missing or wrong, or the user may not use the socket
      Conflict             the id is in use, or matches several jobs
      Refused              the daemon refused the request
      LocalFile            a local file cannot be read or written
      OutputMissing        the job completed, but an output is missing
    EndedBySignal          a signal ended jobctl; the job keeps running

Only `main.py` knows their exit codes.
"""


class JobctlError(Exception):
    """`field`: the field of the spec; `hint`: what the user can do; `code`: the error's name for programs."""

    code = "error"

    def __init__(
        self, message: str, *, field: str | None = None, hint: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.hint = hint
        if code:
            self.code = code


class Misuse(JobctlError):
    """The command line or a job file is invalid."""

    code = "usage"


class Unreachable(JobctlError):
    """The daemon does not answer."""

    code = "daemon-unreachable"


class ConnectionLost(JobctlError):
    """The connection to the daemon broke before the end of an answer."""

    code = "connection-lost"


class NotFound(JobctlError):
    """The job, delivery or file does not exist."""

    code = "not-found"


class NotAllowed(JobctlError):
    """The key is missing or wrong, or this user may not use the socket."""

    code = "not-allowed"


class Conflict(JobctlError):
    """The id is in use, or matches several jobs."""

    code = "conflict"


class Refused(JobctlError):
    """The daemon refused the request or failed. `transient`: a later try may succeed."""

    code = "refused"
    transient = False


class LocalFile(JobctlError):
    """A local file or folder cannot be read or written."""

    code = "local-file"


class OutputMissing(JobctlError):
    """The job completed, but an output could not be fetched."""

    code = "output-failed"


class EndedBySignal(Exception):
    """The signal `number` ended jobctl and not the job; `hint` names the command that continues."""

    def __init__(self, number: int, hint: str) -> None:
        super().__init__(hint)
        self.number = number
        self.hint = hint
