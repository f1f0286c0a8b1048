"""The tree of the errors that jobd itself raises.

    JobdError                 base: a kebab-case `code`, a text for people, and the field at fault, if any
    +-- ConfigError           the daemon cannot start with its settings (all problems at once)
    +-- InvalidRequest        400  a value, field or parameter is wrong
    +-- Unauthorized          401  missing or wrong key
    +-- Forbidden             403  a foreign Host or Origin
    +-- NotFound              404  no such job, delivery or file
    +-- Conflict              409  the id is taken, being deleted, or the job has ended
    +-- TooLarge              413  over a size limit
    +-- WrongMediaType        415  the body is not JSON
    +-- QueueFull             429  too many jobs are queued
    +-- Unavailable           503  the engine is unreachable, jobd is overloaded or shutting down
    +-- DiskFull              507  the disk is full

Engine errors are in `jobs/port/errors.py`, store errors in `store/errors.py`. `api/respond.py` alone maps errors to HTTP statuses.
"""


class JobdError(Exception):
    """Base of jobd's own errors. `field` is the path of the request's field at fault, None where no field is."""

    code = "internal"

    def __init__(self, message: str, *, code: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code or self.code
        self.field = field


class ConfigError(JobdError):
    """Settings are invalid; `problems` lists all of them."""

    code = "invalid-config"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class InvalidRequest(JobdError):
    """A value, field or parameter is wrong."""

    code = "invalid-request"


class Unauthorized(JobdError):
    """The API key is missing or wrong."""

    code = "unauthorized"


class Forbidden(JobdError):
    """The request has a foreign Host or comes from a web page."""

    code = "forbidden"


class NotFound(JobdError):
    """The job, delivery or file does not exist."""

    code = "not-found"


class Conflict(JobdError):
    """The job's current state does not allow the request."""

    code = "conflict"


class TooLarge(JobdError):
    """The request is over a size limit."""

    code = "too-large"


class WrongMediaType(JobdError):
    """The endpoint does not accept the body's content type."""

    code = "unsupported-media-type"


class QueueFull(JobdError):
    """Too many jobs are queued."""

    code = "queue-full"


class Unavailable(JobdError):
    """The engine, or jobd itself, cannot serve the request for now."""

    code = "unavailable"


class DiskFull(JobdError):
    """The state folder's disk is full."""

    code = "disk-full"
