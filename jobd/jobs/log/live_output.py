"""Buffers the bytes that a worker has printed and that are not in the job's log yet, for readers that want them at once.

The engine's log gets a line when the line ends. A connection to the worker's output gives the bytes before that. These bytes are
never stored; a reader gets them again as a line. If the output and the log both begin at the worker's start, offsets in them are
compared by counting bytes, and by the bytes themselves.

Owns the buffers and their bounds. `output_follower.py` fills them, `log_view.py` serves them.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from zlib import crc32

from jobd.jobs.port.model import RawLine, StreamName

LIVE_BYTES = 96 * 1024
"""The buffer of one stream: as much as a log line may hold, and what the engine buffers of the line."""
FLUSH_DELAY_S = 0.05
"""Readers see bytes after this delay. A line that ends within the delay comes as a line alone."""
MATCH_BYTES = 64
"""As many bytes of a last line are compared with the end of the output."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Bytes of a stream's unfinished line. `at` counts from the end of the stream's last stored line; `end_offset` is the offset
    behind the bytes, from the worker's start.
    """

    stream: StreamName
    at: int
    data: bytes
    end_offset: int


class LiveOutput:
    """The output of one worker. `seq` is the last line of the job's log at the worker's start; None if the output is not known from
    there on. `notify` is called when `unfinished` has new bytes, at most once in `FLUSH_DELAY_S`.
    """

    def __init__(self, seq: int | None, notify: Callable[[], None]) -> None:
        self.ended = asyncio.Event()
        """Set once no more bytes come."""
        self._complete = False
        self._connection_ended = False
        self._settled = asyncio.Event()
        """Set once `is_in_log` need not wait."""
        self._seq = seq
        self._notify = notify
        self._buffers: dict[StreamName, _Buffer] = {"stdout": _Buffer(), "stderr": _Buffer()}
        self._flush_timer: asyncio.TimerHandle | None = None

    @property
    def held_bytes(self) -> int:
        """The size of both buffers."""
        return sum(len(buffer.data) for buffer in self._buffers.values())

    def append(self, stream: StreamName, data: bytes) -> None:
        """Adds bytes that the worker has printed."""
        self._buffers[stream].append(data)
        if self._flush_timer is None and self._seq is not None:
            self._flush_timer = asyncio.get_running_loop().call_later(FLUSH_DELAY_S, self._flush)

    def stored(self, lines: Iterable[RawLine], first_seq: int, last_seq: int) -> None:
        """Drops the bytes of lines that the log now has under these numbers."""
        if self._seq is None:
            return
        if first_seq != self._seq + 1:
            self.lose()
            return
        self._seq = last_seq
        parts: dict[StreamName, list[bytes]] = {}
        for line in lines:
            if line.gap is not None:
                self.lose()
                return
            parts.setdefault(line.stream, []).append(bytes_of(line))
        for stream, logged in parts.items():
            if not self._buffers[stream].store(b"".join(logged)):
                self.lose()
                return
        self._settle()

    def lose(self) -> None:
        """The log and the output differ: from now on readers get no unfinished line."""
        self._seq = None
        self._settle()

    def end_connection(self) -> None:
        """The connection has ended: with the worker, or because it broke."""
        self._connection_ended = True
        self._settle()

    async def is_in_log(self, limit_s: float) -> bool:
        """Returns whether the log has exactly the bytes of the ended connection, from the worker's start on. Waits for both, for at most
        `limit_s`.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._settled.wait()
        is_known = self._seq is not None and self._connection_ended
        return is_known and all(buffer.is_in_log for buffer in self._buffers.values())

    def end(self) -> None:
        """The worker has ended, and all of its output has arrived."""
        self._complete = True
        self.ended.set()

    def close(self) -> None:
        """The connection broke, or no reader needs the output any more. Repeats safely."""
        self.lose()
        self.ended.set()
        if self._flush_timer is not None:
            self._flush_timer.cancel()

    def unfinished(self, seq: int, seen: dict[StreamName, int]) -> Iterator[Unfinished]:
        """Yields the bytes that are new to a reader who has the log up to line `seq` and each stream up to the offset in `seen`."""
        if seq != self._seq:
            return
        for stream, buffer in self._buffers.items():
            start = max(buffer.stored, seen.get(stream, 0))
            if data := buffer.flushed_from(start):
                yield Unfinished(stream, start - buffer.stored, data, start + len(data))

    def ends_with(self, line: RawLine) -> bool | None:
        """Returns whether a newline follows `line`, the last line of its stream; None if that is unknown. Pure."""
        if not self._complete:
            return None
        end = bytes(self._buffers[line.stream].data[-MATCH_BYTES - 1 :])
        text = bytes_of(line, newline=False)
        follows = None
        if text and end:
            if _matches(end, text):
                follows = False
            elif end.endswith(b"\n") and _matches(end[:-1], text):
                follows = True
        return follows

    def _settle(self) -> None:
        if self._seq is None or (
            self._connection_ended
            and all(buffer.is_in_log or not buffer.ends_with_newline for buffer in self._buffers.values())
        ):
            self._settled.set()

    def _flush(self) -> None:
        self._flush_timer = None
        more = {buffer.flush() for buffer in self._buffers.values()}
        if True in more and self._seq is not None:
            self._notify()


class _Buffer:
    """The last bytes of a stream. Offsets count from the first byte that arrived: `start` is the offset of `data`, the log has the
    bytes up to `stored`, readers may see the bytes up to `flushed`.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self.start = 0
        self.stored = 0
        self.flushed = 0
        self._output_check = self._stored_check = 0
        """CRC-32 of all bytes of the output, and of the log."""

    @property
    def is_in_log(self) -> bool:
        return self.stored == self.start + len(self.data) and self._stored_check == self._output_check

    @property
    def ends_with_newline(self) -> bool:
        return self.data.endswith(b"\n")

    def append(self, data: bytes) -> None:
        self.data += data
        self._output_check = crc32(data, self._output_check)
        self._drop(len(self.data) - LIVE_BYTES)

    def store(self, logged: bytes) -> bool:
        """The log continues with these bytes. Returns False if the output has other bytes there."""
        at = max(self.stored, self.start)
        part = logged[at - self.stored :]
        here = self.data[at - self.start : at - self.start + len(part)]
        self.stored += len(logged)
        self._stored_check = crc32(logged, self._stored_check)
        same = part.startswith(here)
        self._drop(self.stored - self.start)
        return same

    def flush(self) -> bool:
        """Shows all bytes to readers. Returns True if some of them are new and the log does not have them."""
        end = self.start + len(self.data)
        more = end > max(self.flushed, self.stored)
        self.flushed = end
        return more

    def flushed_from(self, offset: int) -> bytes:
        if (
            offset < self.start
        ):  # the buffer has dropped these bytes: the log is far behind, and will have them
            return b""
        return bytes(self.data[offset - self.start : max(0, self.flushed - self.start)])

    def _drop(self, count: int) -> None:
        count = min(count, len(self.data))
        if count > 0:
            del self.data[:count]
            self.start += count


class LiveOutputs:
    """The outputs that are followed now, by the uid of their job."""

    def __init__(self) -> None:
        self._outputs: dict[str, LiveOutput] = {}

    def of(self, uid: str) -> LiveOutput | None:
        """Returns the output of the job's worker; None if no output is followed."""
        return self._outputs.get(uid)

    def put(self, uid: str, output: LiveOutput) -> None:
        """Registers the output of the job's worker."""
        self._outputs[uid] = output

    def drop(self, uid: str, output: LiveOutput) -> None:
        """Closes the output and removes it, unless another one has replaced it."""
        output.close()
        if self._outputs.get(uid) is output:
            del self._outputs[uid]


def bytes_of(line: RawLine, *, newline: bool = True) -> bytes:
    """Returns the bytes that the worker has printed for a line, with or without its newline. Pure."""
    text = line.text.encode() if line.raw is None else line.raw
    return text if line.partial or not (newline and line.newline) else text + b"\n"


def _matches(end: bytes, text: bytes) -> bool:
    common = min(len(end), len(text), MATCH_BYTES)
    return bool(common) and end[-common:] == text[-common:]
