"""A model of the engine's log of a container: entries of two streams with the times of a clock that tests set.

Answers the requests of `jobd.docker.logs.log_requests` like the json-file driver: the last entries or all, then, with `follow`, new
entries. Tests decide what is printed and rotated, and when a connection breaks.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import StreamName

KIND: dict[StreamName, int] = {"stdout": 1, "stderr": 2}
NS = 1_000_000_000


def stamp(ns: int) -> str:
    """Returns a time in the engine's form; the model's days begin at noon."""
    seconds, fraction = divmod(ns + 43_200 * NS, NS)
    day, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"2026-01-{day + 10:02d}T{clock}.{fraction:09d}Z"


def frame(stream: StreamName, time: str, payload: bytes) -> bytes:
    """Returns an entry in its wire form."""
    body = time.encode() + b" " + payload
    return bytes([KIND[stream], 0, 0, 0]) + len(body).to_bytes(4, "big") + body


@dataclass
class ModelLog:
    """`piece_bytes`: the longest entry. `leaves_out`: like the driver `local` of older engines, omits the newline of a line of several
    entries. `cut`: how the wire cuts an answer of so many bytes. `now_ns` is the engine's clock.

    `turn`: is called between two parts of an answer; True ends a follow, as the container's end does.
    """

    piece_bytes: int = 16 * 1024
    leaves_out: bool = False
    now_ns: int = 0
    cut: Callable[[int], int] = lambda size: size
    turn: Callable[[], bool] = lambda: True
    breaks_after: int | None = None
    entries: list[tuple[StreamName, str, bytes]] = field(default_factory=list)
    printed: dict[StreamName, bytes] = field(default_factory=lambda: {"stdout": b"", "stderr": b""})
    forgotten: int = 0
    requests: list[Mapping[str, str]] = field(default_factory=list)
    _open: dict[StreamName, str] = field(default_factory=dict)
    _held: dict[StreamName, bytes] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    def write(self, stream: StreamName, text: bytes) -> None:
        """The container prints; each line has one time, however many entries it takes."""
        self.printed[stream] += text
        if self.leaves_out:
            self._keep(stream, text)
            return
        for line in text.splitlines(keepends=True):
            time = self._open.pop(stream, None) or stamp(self.now_ns)
            if not line.endswith(b"\n"):
                self._open[stream] = time
            for at in range(0, len(line), self.piece_bytes):
                self.entries.append((stream, time, line[at : at + self.piece_bytes]))

    def close(self) -> None:
        """Ends the container; an unterminated line becomes an entry."""
        for stream, rest in self._held.items():
            if rest:
                self.entries.append((stream, self._open.pop(stream, "") or self._now(), rest))
        self._held = {}

    def _keep(self, stream: StreamName, text: bytes) -> None:
        for part in (self._held.pop(stream, b"") + text).splitlines(keepends=True):
            line = part.removesuffix(b"\n")
            while len(line) >= self.piece_bytes:
                self._open.setdefault(stream, self._now())
                self.entries.append((stream, self._open[stream], line[: self.piece_bytes]))
                line = line[self.piece_bytes :]
            if not part.endswith(b"\n"):
                self._held[stream] = line
            elif time := self._open.pop(stream, ""):
                self.entries.append((stream, time, line))
            else:
                self.entries.append((stream, self._now(), line + b"\n"))

    def _now(self) -> str:
        """Returns a unique time."""
        self.now_ns += 1
        while (time := stamp(self.now_ns)) in self._used:
            self.now_ns += 1
        self._used.add(time)
        return time

    def rotate(self, count: int) -> None:
        """Drops the `count` oldest entries."""
        self.forgotten += len(self.entries[:count])
        del self.entries[:count]

    @asynccontextmanager
    async def ask(self, params: Mapping[str, str]) -> AsyncIterator["ModelBody"]:
        """Answers one request."""
        self.requests.append(params)
        yield ModelBody(self, params)


@dataclass
class ModelBody:
    """The body of one answer."""

    log: ModelLog
    params: Mapping[str, str]

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yields the frames in pieces; a follow yields new entries too, also after a rotation."""
        log, tail = self.log, self.params.get("tail")
        sent = log.forgotten + (0 if tail is None else max(0, len(log.entries) - int(tail)))
        while True:
            if sent < log.forgotten and self.params["follow"] == "1":
                return  # the log was rotated faster than read: the engine ends the answer without an error
            fresh = log.entries[max(sent - log.forgotten, 0) :]
            sent = log.forgotten + len(log.entries)
            data = b"".join(frame(*entry) for entry in fresh)
            while data:
                size = min(max(1, log.cut(len(data))), len(data))
                self._break(size)
                yield data[:size]
                data = data[size:]
            if self.params["follow"] != "1" or log.turn():
                return

    def _break(self, size: int) -> None:
        log = self.log
        if log.breaks_after is not None:
            log.breaks_after -= size
            if log.breaks_after < 0:
                log.breaks_after = None
                raise EngineUnavailable("the connection broke")
