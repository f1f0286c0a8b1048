"""Writes an output to an open file, device or FIFO: a file as it is, a folder as a tar. A terminal gets only text and colours."""

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
"""The most bytes of a tar before the content of its first member."""
_POLL_S = 0.05


class Readable(Protocol):
    """The source of a tar or of a file's content."""

    def read(self, size: int = -1, /) -> bytes:
        """Returns the next `size` bytes, fewer only at the end."""
        ...


class OpenOutput:
    """An open file that is written to once. `left`: the bytes that may still be written; None: no bound."""

    def __init__(self, descriptor: int, name: str, left: int | None = None) -> None:
        self._descriptor = descriptor
        self._name = name
        self._left = left
        self._filter: TerminalFilter | None = descriptor_filter(descriptor)
        self._text = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def is_terminal(self) -> bool:
        """True where the open file is a terminal."""
        return self._filter is not None

    def write(self, block: bytes, *, last: bool = False) -> None:
        """Writes all of the block.

        Raises:
            LocalFile: the file cannot be written, or the block exceeds the bound.
            BrokenPipeError: the reader of stdout has closed it.
        """
        if self._left is not None:
            if len(block) > self._left:
                raise LocalFile(
                    f"the output is larger than --max-size allows; {self._name} has only the first part"
                )
            self._left -= len(block)
        if self._filter is not None:
            text = self._filter.feed(self._text.decode(block, last))
            block = (text + (self._filter.pause() if last else "")).encode("utf-8", "replace")
        rest = memoryview(block)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except BrokenPipeError:
            if self._descriptor == STDOUT:
                raise
            raise LocalFile(f"{self._name} cannot be written: its reader has closed it") from None
        except OSError as error:
            raise LocalFile(f"{self._name} cannot be written: {(error.strerror or '').lower()}") from None


@contextmanager
def special_file(path: Path, mode: int) -> Iterator[OpenOutput]:
    """Opens a device or a FIFO for writing. Waits for the reader of a FIFO.

    Raises:
        LocalFile: the path is a socket or cannot be opened, or no reader opened the FIFO within a minute.
    """
    if not (stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or stat.S_ISFIFO(mode)):
        raise LocalFile(f"{shown(path)} is a socket; jobctl writes to no sockets")
    descriptor = _opened(path)
    try:
        os.set_blocking(descriptor, True)
        yield OpenOutput(descriptor, shown(path))
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
                raise LocalFile(
                    f"no program reads from {shown(path)}",
                    hint="start the program that reads it before the job ends",
                ) from None
        time.sleep(_POLL_S)


def copy(content: Readable, size: int, out: OpenOutput, name: str) -> None:
    """Writes a file's `size` bytes. Raises as `OpenOutput.write`, and LocalFile where `content` ends early."""
    left = size
    while left > 0:
        block = content.read(min(BLOCK_BYTES, left))
        if not block:
            raise LocalFile(f"the file '{shown(name)}' was cut during the transfer")
        left -= len(block)
        out.write(block, last=left == 0)


def not_fetchable(path: str) -> LocalFile:
    """Returns the error for a `path` of the workspace that is neither a file nor a folder."""
    return LocalFile(
        f"{path!r} is a link or a special file; jobctl fetches only files and folders",
        hint="name the target of the link",
    )


def _drain(stream: Readable) -> None:
    """Reads the answer to its end, which fails where the answer was cut."""
    while stream.read(BLOCK_BYTES):
        pass


class _Recorder:
    """Keeps the bytes that tarfile reads up to the first member, so that they can be written where the output is a folder."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self.kept: bytearray | None = bytearray()

    def read(self, size: int = -1, /) -> bytes:
        data = self._source.read(size)
        if self.kept is not None:
            self.kept += data
            if len(self.kept) > LONGEST_HEAD_BYTES:
                raise tarfile.ReadError("the first header is too long")
        return data


def write_output(stream: Readable, path: str, descriptor: int, max_bytes: int | None = None) -> None:
    """Writes the workspace's `path` from the tar `stream` to an open file: a file as it is, a folder as a tar.

    Raises:
        OutputMissing: the tar is empty.
        LocalFile: the output cannot be written, is larger than `max_bytes`, is a link, or is a folder for a terminal.
        BrokenPipeError: the reader of stdout has closed it.
    """
    name = "stdout" if descriptor == STDOUT else f"/dev/fd/{descriptor}"
    out = OpenOutput(descriptor, name, max_bytes)
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
        raise LocalFile(f"jobd sent no valid tar archive of {path!r}: {error}") from None
    if alone and not member.isdir():
        raise not_fetchable(path)
    if out.is_terminal:
        raise LocalFile(
            f"{path!r} is a folder; jobctl does not write its tar to a terminal",
            hint="use a pipe: ... - | tar t",
        )
    out.write(kept)
    while block := stream.read(BLOCK_BYTES):
        out.write(block)
