"""The error tree of jobd's own refusals.

    JobdError                 base: a kebab `code`, a text for people, perhaps the field at fault
    +-- ConfigError           the daemon cannot start as it is set up (all problems at once)
    +-- InvalidRequest        400  a value, field or parameter is wrong
    +-- Unauthorized          401  missing or wrong key
    +-- Forbidden             403  a foreign Host or Origin
    +-- NotFound              404  no such job, delivery or file
    +-- Conflict              409  the id is taken, being deleted, or the job has ended
    +-- TooLarge              413  over a size limit
    +-- WrongMediaType        415  the body is not JSON
    +-- QueueFull             429  too many jobs wait
    +-- Unavailable           503  the engine is away, or jobd is shutting down
    +-- DiskFull              507  nothing more can be stored

Engine errors are in `jobs/port/errors.py`, store errors in `store`. Which HTTP status each one becomes is decided in
`api/respond.py` and nowhere else.
"""


class JobdError(Exception):
    """Base of what jobd refuses. `field` is a path into the request, where one is at fault."""

    code = "internal"

    def __init__(self, message: str, *, code: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code or self.code
        self.field = field


class ConfigError(JobdError):
    """The settings are wrong; `problems` lists all of them."""

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
    """The request comes from where none may come from."""

    code = "forbidden"


class NotFound(JobdError):
    """There is no such thing."""

    code = "not-found"


class Conflict(JobdError):
    """What is there stands in the way."""

    code = "conflict"


class TooLarge(JobdError):
    """The request is over a size limit."""

    code = "too-large"


class WrongMediaType(JobdError):
    """The body's content type is not what the call takes."""

    code = "unsupported-media-type"


class QueueFull(JobdError):
    """Too many jobs wait already."""

    code = "queue-full"


class Unavailable(JobdError):
    """Something that is needed is away for now."""

    code = "unavailable"


class DiskFull(JobdError):
    """The state folder's disk is full."""

    code = "disk-full"
