"""The frames of a log: its lines, the bytes of an unfinished line, and the job's end."""

import msgspec

from jobd.wire.views.base import View


class LogLine(View, frozen=True, kw_only=True):
    """One line of the worker's output, without its newline; `seq` counts from 1 over both streams. `gap` says why lines before this one
    were lost.

    The worker's bytes are `raw`, or the UTF-8 of `line` where there is no `raw`, followed by a newline unless the line is `partial`
    or `unterminated`.
    """

    seq: int
    time: str
    stream: str
    line: str
    gap: str | None = None
    partial: bool = False
    """True where a very long line continues in the next entry of its stream, and for a `gap` without a line."""
    raw: bytes | None = None
    """The line's bytes, in base64, if they are no UTF-8: then `line` has U+FFFD for the invalid bytes."""
    unterminated: bool = False
    """True where the stream has ended with this line without a newline."""


class Unfinished(View, frozen=True, kw_only=True):
    """The bytes of `stream` after its last newline: `at` is their offset from the end of the stream's last line before this frame. The
    line that later ends contains these bytes again.
    """

    stream: str
    at: int
    raw: bytes


class LogUnfinished(msgspec.Struct, frozen=True, kw_only=True):
    """A frame between the lines of a log, if the client requests `unfinished`; it has no number, and jobd sends it once."""

    unfinished: Unfinished


class End(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The job's end; all three fields are always present, null where they do not apply."""

    status: str
    exit_code: int | None = None
    reason: str | None = None


class LogEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The last frame of a log; without `follow` only if the job has ended."""

    end: End
