"""Writing an output to what is open or is no regular file: stdout, devices, FIFOs. A terminal is given text and colour alone.

Owns waiting for the reader of a FIFO, and the tar or the bytes that a stream is given.
"""

import codecs
import errno
import os
import stat
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol, cast

from jobctl.errors import LocalFile, OutputMissing
from jobctl.output.output import descriptor_filter
from jobctl.output.terminal import TerminalFilter
from jobctl.transfers.destination import STDOUT, shown

BLOCK_BYTES = 1 << 18
READER_WAIT_S = 60.0
LONGEST_HEAD_BYTES = 8 << 20
"""What may stand in a tar before its first member's content."""
_LOOK_EVERY_S = 0.05


class Readable(Protocol):
    """Where a tar or a file's content comes from."""

    def read(self, size: int = -1, /) -> bytes:
        """Returns the next `size` bytes; fewer only at the end."""
        ...


class Outflow:
    """An open file that is written to from its beginning to its end. `left` bounds the bytes; None: no bound."""

    def __init__(self, descriptor: int, name: str, left: int | None = None) -> None:
        self._descriptor = descriptor
        self._name = name
        self._left = left
        self._filter: TerminalFilter | None = descriptor_filter(descriptor)
        self._text = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def is_terminal(self) -> bool:
        """True where what is written is shown to a person."""
        return self._filter is not None

    def write(self, block: bytes, *, last: bool = False) -> None:
        """Writes all of the block.

        Raises:
            LocalFile: it cannot be written, or is beyond the bound.
            BrokenPipeError: the reader of stdout has gone.
        """
        if self._left is not None:
            if len(block) > self._left:
                raise LocalFile(f"{self._name} would get more than --max-size allows; what it has ends here")
            self._left -= len(block)
        if self._filter is not None:
            said = self._filter.feed(self._text.decode(block, last))
            block = (said + (self._filter.pause() if last else "")).encode("utf-8", "replace")
        rest = memoryview(block)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except BrokenPipeError:
            if self._descriptor == STDOUT:
                raise
            raise LocalFile(f"{self._name} cannot be written: its reader has gone") from None
        except OSError as error:
            raise LocalFile(f"{self._name} cannot be written: {(error.strerror or '').lower()}") from None


@contextmanager
def special_file(path: Path, mode: int) -> Iterator[Outflow]:
    """Opens a device or a FIFO for writing. A FIFO without a reader is waited for.

    Raises:
        LocalFile: a socket; it cannot be opened; no reader came within a minute.
    """
    if not (stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or stat.S_ISFIFO(mode)):
        raise LocalFile(f"{shown(path)} is a socket, which files are not written to")
    descriptor = _opened(path)
    try:
        os.set_blocking(descriptor, True)
        yield Outflow(descriptor, shown(path))
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    give_up = time.monotonic() + READER_WAIT_S
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > give_up:
                raise LocalFile(f"nobody reads from {shown(path)}") from None
        time.sleep(_LOOK_EVERY_S)


def copy(content: Readable, size: int, out: Outflow, name: str) -> None:
    """Writes a file's `size` bytes. Raises as `Outflow.write`, and LocalFile where fewer come."""
    left = size
    while left > 0:
        block = content.read(min(BLOCK_BYTES, left))
        if not block:
            raise LocalFile(f"the file '{shown(name)}' was cut on its way")
        left -= len(block)
        out.write(block, last=left == 0)


def special(path: str) -> LocalFile:
    """Returns the error for a `path` of the workspace that is neither a file nor a folder."""
    return LocalFile(
        f"{path!r} is a link or a special file, which is not fetched", hint="name the file that it points at"
    )


def _drain(stream: Readable) -> None:
    """Whether the answer ends in order says that the file came whole."""
    while stream.read(BLOCK_BYTES):
        pass


class _Recorder:
    """Keeps what was read until it is known what it is: at most the headers before the first member, and a block."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self.kept: bytearray | None = bytearray()

    def read(self, size: int = -1, /) -> bytes:
        data = self._source.read(size)
        if self.kept is not None:
            self.kept += data
            if len(self.kept) > LONGEST_HEAD_BYTES:
                raise tarfile.ReadError("its first header is too long")
        return data


def pass_on(stream: Readable, path: str, descriptor: int, max_bytes: int | None = None) -> None:
    """Writes what the tar `stream` holds of the workspace's `path` to an open file: a file as it is, a folder as a tar.

    Raises:
        OutputMissing: the stream holds nothing.
        LocalFile: it cannot be written, is larger than `max_bytes`, is a link, or is a folder for a terminal.
        BrokenPipeError: the reader of stdout has gone.
    """
    name = "stdout" if descriptor == STDOUT else f"/dev/fd/{descriptor}"
    out = Outflow(descriptor, name, max_bytes)
    source = _Recorder(stream)
    try:
        with tarfile.open(
            fileobj=cast(IO[bytes], source), mode="r|", bufsize=BLOCK_BYTES, errorlevel=2
        ) as archive:
            member = archive.next()
            if member is None:
                raise OutputMissing(f"the job has no {path!r}")
            kept, source.kept = bytes(source.kept or b""), None
            alone = "/" not in member.name.rstrip("/")
            if member.isreg() and alone:
                content = archive.extractfile(member)
                if content is not None:
                    copy(content, member.size, out, member.name)
                _drain(stream)
                return
    except tarfile.TarError as error:
        raise LocalFile(f"jobd sent no tar archive of {path!r}: {error}") from None
    if alone and not member.isdir():
        raise special(path)
    if out.is_terminal:
        raise LocalFile(f"{path!r} is a folder, whose tar is not written to a terminal", hint="... - | tar t")
    out.write(kept)
    while block := stream.read(BLOCK_BYTES):
        out.write(block)
