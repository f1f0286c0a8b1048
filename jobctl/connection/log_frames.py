"""The frames of a log stream, decoded from NDJSON in batches."""

from collections.abc import Iterator

import msgspec

from jobctl.errors import ConnectionLost
from jobd.wire.views.log import End

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


_decoder = msgspec.json.Decoder(Frame)


def batches(blocks: Iterator[bytes]) -> Iterator[list[Frame]]:
    """Yields the frames of each block, as far as they are whole.

    Raises:
        ConnectionLost: a frame cannot be decoded or is longer than `LONGEST_LINE_BYTES`.
    """
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
        return _decoder.decode_lines(lines)
    except msgspec.DecodeError as error:
        raise ConnectionLost(f"the log from jobd cannot be decoded: {error}") from None
