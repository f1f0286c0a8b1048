"""Follows a job's log: reconnects where the connection breaks, and resumes with `after`, without a gap or a repetition."""

import time
from collections.abc import Callable, Iterator

import msgspec

from jobctl.connection.client import SILENCE_TIMEOUT_S, Client, job_path, read_blocks
from jobctl.errors import ConnectionLost, Refused, Unreachable
from jobd.wire.view import End

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
RECONNECT_FOR_S = 60.0
"""How long jobctl tries to reconnect."""
LONGEST_LINE_BYTES = 16 << 20


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of a line without an end yet. `at`: their offset from the end of the stream's last line."""

    stream: str
    at: int
    raw: bytes


class Frame(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One frame of the stream: a log line, part of an unfinished line, or the job's end."""

    @property
    def data(self) -> bytes:
        """The line's bytes as the job wrote them, including the newline."""
        line = self.line.encode() if self.raw is None else self.raw
        return line if self.partial or self.unterminated else line + b"\n"

    @property
    def is_gap_only(self) -> bool:
        """True for a gap mark without bytes of the job: an empty line after a gap has its newline."""
        return bool(self.gap) and not self.data

    seq: int = 0
    time: str = ""
    stream: str = "stdout"
    line: str = ""
    gap: str | None = None
    partial: bool = False
    raw: bytes | None = None
    unterminated: bool = False
    unfinished: Unfinished | None = None
    end: End | None = None


_frames = msgspec.json.Decoder(Frame)


def frames(
    client: Client,
    job_id: str,
    *,
    follow: bool,
    tail: int | None = None,
    stream: str | None = None,
    unfinished: bool = False,
    on_break: Callable[[str], None] | None = None,
) -> Iterator[list[Frame]]:
    """Yields the log in batches as they arrive. With `follow` the last frame has the job's end; without it the log stops at its
    present last line. `unfinished`: also yields bytes of unfinished lines, where the daemon supports that; the lines repeat them.
    `on_break` is called once for each lost connection.

    Raises:
        ConnectionLost: the daemon could not be reached for a minute.
        NotFound: the job does not exist, or was removed meanwhile.
    """
    seen, pause, broke_at = 0, FIRST_PAUSE_S, None
    while True:
        query = {
            "follow": follow or None,
            "after": seen or None,
            "tail": None if seen else tail,
            "stream": stream,
            "unfinished": unfinished or None,
        }
        try:
            with client.open("GET", job_path(job_id, "logs"), query, timeout_s=SILENCE_TIMEOUT_S) as response:
                for batch in _batches(read_blocks(response)):
                    pause, broke_at = FIRST_PAUSE_S, None  # also after a keep-alive, which is an empty batch
                    fresh = [frame for frame in batch if frame.end or frame.unfinished or frame.seq > seen]
                    seen = max((frame.seq for frame in fresh), default=seen) or seen
                    if fresh:
                        yield fresh
                        if fresh[-1].end is not None:
                            return
            if not follow:
                return
            lost: Exception = ConnectionLost("the log stream ended before the job ended")
        except (ConnectionLost, Unreachable) as error:
            lost = error
        except Refused as error:
            if unfinished and error.field == "unfinished":  # an older daemon
                unfinished = False
                continue
            if broke_at is None or not error.transient:
                raise
            lost = error
        now = time.monotonic()
        if broke_at is None:
            broke_at = now
            if on_break:
                on_break(str(lost))
        if now - broke_at > RECONNECT_FOR_S:
            raise ConnectionLost(f"jobd could not be reached for {RECONNECT_FOR_S:g} s: {lost}")
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)


def _batches(blocks: Iterator[bytes]) -> Iterator[list[Frame]]:
    rest = b""
    for block in blocks:
        whole, newline, after = block.rpartition(b"\n")
        if not newline:
            rest += block
            if len(rest) > LONGEST_LINE_BYTES:
                raise ConnectionLost(f"jobd sent a log line longer than {LONGEST_LINE_BYTES >> 20} MiB")
            continue
        batch = _decode(rest + whole)
        rest = after
        yield batch
    if rest.strip():
        yield _decode(rest)


def _decode(lines: bytes) -> list[Frame]:
    try:
        return _frames.decode_lines(lines)
    except msgspec.DecodeError as error:
        raise ConnectionLost(f"the log from jobd cannot be decoded: {error}") from None
