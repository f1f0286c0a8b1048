"""The stored logs of an engine's log driver, and how jobd reads them."""

from collections.abc import Mapping

from hypothesis import strategies as st

from jobd.docker.logs.log_cursors import Position, PositionedLine
from jobd.docker.logs.log_parser import LogReader
from jobd.jobs.port.model import StreamName
from tests.support.models.model_log import frame

CHUNK = 16 * 1024


PIECE = 8


Entry = tuple[StreamName, str, bytes]


def stamp(number: int) -> str:
    return f"2026-01-02T03:04:{number // 1000:02d}.{number % 1000:03d}000001Z"


def entries_of(lines: list[tuple[StreamName, bytes]], chunk: int = CHUNK) -> list[Entry]:
    """The engine's stored log: each line with its own timestamp, in pieces of at most `chunk` bytes."""
    out: list[Entry] = []
    for number, (stream, text) in enumerate(lines):
        pieces = [text[at : at + chunk] for at in range(0, len(text), chunk)] or [b""]
        out += [(stream, stamp(number), piece) for piece in pieces if piece]
    return out


def wire(entries: list[Entry]) -> bytes:
    """The engine's answer."""
    return b"".join(frame(*entry) for entry in entries)


def read(
    data: bytes, cursors: Mapping[StreamName, Position] | None = None, end: bool = True
) -> list[PositionedLine]:
    reader = LogReader(cursors or {})
    return reader.feed(data) + (reader.end() if end else [])


streams = st.sampled_from(["stdout", "stderr"])


texts = st.binary(max_size=80).map(lambda raw: raw.replace(b"\n", b"")) | st.sampled_from(
    [b"", b"x" * 63, "é".encode() * 40, b"\xff" * 5]
)


logs = st.lists(st.tuples(streams, texts.map(lambda text: text + b"\n")), max_size=12)
