"""The engine's refusals as exceptions, with the status and text that it gave.

Owns the first step of translation: from an HTTP answer to `EngineError`. What a refusal means for one call is
decided where the call is made.
"""

import msgspec

from jobd.jobs.orchestrator import EngineUnavailable, RefusedByEngine


class Refusal(RefusedByEngine):
    """A 4xx answer: understood and refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Trouble(EngineUnavailable):
    """A 5xx answer: the engine could not."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class _Message(msgspec.Struct, frozen=True):
    message: str = ""


def refusal(status: int, message: str) -> Refusal | Trouble:
    """Returns the exception for an answer with this status and text."""
    text = message.strip() or f"the engine answered {status}"
    return Trouble(status, text) if status >= 500 else Refusal(status, text)


def message_of(body: bytes) -> str:
    """Returns the text in the body of a refused call: JSON with `message`, or plain."""
    try:
        return msgspec.json.decode(body, type=_Message).message
    except msgspec.DecodeError:
        return body.decode("utf-8", "replace")
