"""The engine's error answers as exceptions with status and text.

Owns both steps of translation: from an HTTP answer to `Refusal` or `ServerError`, and from these, for one call, to the error of the
port, by the table in `error_table.py`.
"""

import logging

import msgspec

from jobd.docker.mapping.error_table import Call
from jobd.docker.mapping.failures import Failure, failure
from jobd.jobs.port.errors import (
    EngineError,
    EngineUnavailable,
    ImageUnavailable,
    RefusedByEngine,
    StartFailed,
)

log = logging.getLogger(__name__)


class Refusal(RefusedByEngine):
    """A 4xx answer: the engine refused the request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class ServerError(EngineUnavailable):
    """A 5xx answer: the engine failed. `message` is the engine's own text."""

    def __init__(self, status: int, message: str) -> None:
        found = failure("inspect", status, message)
        super().__init__(found.words, answered=found.meaning != "lost")
        self.status = status
        self.message = message
        self.remedy = found.remedy


class _Message(msgspec.Struct, frozen=True):
    message: str = ""


def refusal(status: int, message: str) -> Refusal | ServerError:
    """Returns the exception for an answer with this status and text."""
    text = message.strip() or f"the engine answered {status}"
    return ServerError(status, text) if status >= 500 else Refusal(status, text)


def port_error(call: Call, error: Refusal | ServerError, *, workspace: str = "") -> EngineError:
    """Returns the error of the port for this answer to `call`, and logs the engine's own text."""
    found = failure(call, error.status, error.message, workspace=workspace)
    log.info(
        "the engine answered with an error",
        extra={
            "action": call,
            "status": error.status,
            "meaning": found.meaning,
            "error": error.message[:4096],
        },
    )
    return as_error(call, found, error.remedy)


def as_error(call: Call, found: Failure, remedy: str = "") -> EngineError:
    """Returns a classified answer as the error of the port. `remedy`: used if the table has none."""
    error: EngineError
    if found.meaning != "final":
        error = EngineUnavailable(found.words, answered=found.meaning == "passing")
    elif call == "start":
        error = StartFailed(found.words, found.exit_code)
    elif call == "pull" or found.row == "image-gone":
        error = ImageUnavailable(found.words)
    else:
        error = RefusedByEngine(found.words)
    error.remedy = found.remedy or remedy
    return error


def message_of(body: bytes) -> str:
    """Returns the text in the body of an error answer: JSON with `message`, or plain text."""
    try:
        return msgspec.json.decode(body, type=_Message).message
    except msgspec.DecodeError:
        return body.decode("utf-8", "replace")
