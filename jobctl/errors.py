"""Everything that can end a command other than its success.

    JobctlError
      Misuse               the command line or a job file asks for something that cannot be
      Unreachable          no daemon answers
      ConnectionLost       the daemon went away in the middle, and stayed away
      NotFound             no such job, delivery or file
      NotAllowed           missing or wrong key, or no right to the socket
      Conflict             an id that is taken, or that fits several jobs
      Refused              the daemon understood and says no
      LocalFile            a file of the caller that cannot be read or written
      OutputMissing        a job ended well, but an output that was asked for is not there
    Left                   the terminal or a signal took the caller away; the job goes on

Owns the tree. Which exit code each one means is known by `main.py` alone.
"""


class JobctlError(Exception):
    """What happened; `field` says where in the spec, `hint` what to do about it, `code` names it for programs."""

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
    """The command line or a job file asks for something that cannot be."""

    code = "usage"


class Unreachable(JobctlError):
    """No daemon answers."""

    code = "daemon-unreachable"


class ConnectionLost(JobctlError):
    """The daemon went away in the middle of an answer."""

    code = "connection-lost"


class NotFound(JobctlError):
    """No such job, delivery or file."""

    code = "not-found"


class NotAllowed(JobctlError):
    """The key is missing or wrong, or the socket is not for this user."""

    code = "not-allowed"


class Conflict(JobctlError):
    """An id that is taken, or that fits several jobs."""

    code = "conflict"


class Refused(JobctlError):
    """The daemon understood the request and refuses it, or failed at it. `transient`: it may do it in a moment."""

    code = "refused"
    transient = False


class LocalFile(JobctlError):
    """A file or folder on the caller's side that cannot be read or written."""

    code = "local-file"


class OutputMissing(JobctlError):
    """The job ended well, but an output that was asked for could not be fetched."""

    code = "output-failed"


class Left(Exception):
    """The signal `number` ended this command and not the job; `hint` says how to come back."""

    def __init__(self, number: int, hint: str) -> None:
        super().__init__(hint)
        self.number = number
        self.hint = hint
