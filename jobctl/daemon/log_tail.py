"""The end of jobd's log file, and what follows, also over a rotation."""

import codecs
import os
import time
from collections.abc import Iterator
from typing import IO

MOST_BYTES = 1 << 20
PAUSE_S = 0.2
_PIECE = 1 << 16


def last_bytes(path: str, begin: int = 0) -> str:
    """Returns what the file has after its first `begin` bytes, at most the last `MOST_BYTES`; empty where there is no file.

    A file that is shorter than `begin` was rotated, and counts from its beginning.
    """
    file = _opened(path)
    if file is None:
        return ""
    with file:
        return _rest(file, begin).decode(errors="replace")


def tail(path: str, count: int, *, follows: bool) -> Iterator[str]:
    """Yields the last `count` lines, also those of the file before a rotation. With `follows` also all that is appended, for ever, and an
    empty text before each pause; a file that does not exist yet is waited for.
    """
    file = _opened(path)
    try:
        lines = [] if file is None else _rest(file, 0).decode(errors="replace").splitlines(keepends=True)
        if len(lines) < count:
            lines = [*last_bytes(f"{path}.1").splitlines(keepends=True), *lines]
        yield "".join(lines[-count:] if count else [])
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while follows:
            while file is not None and (piece := file.read(_PIECE)):
                yield decoder.decode(piece)
            following = _replacement(path, file)
            if following is None:
                yield ""
                time.sleep(PAUSE_S)
                continue
            if file is not None:
                yield decoder.decode(
                    file.read(_PIECE)
                )  # jobd may have written between the last read and the rotation
                file.close()
            file = following
    finally:
        if file is not None:
            file.close()


def _rest(file: IO[bytes], begin: int) -> bytes:
    size = os.fstat(file.fileno()).st_size
    file.seek(max(begin if begin <= size else 0, size - MOST_BYTES))
    return file.read(MOST_BYTES)


def _replacement(path: str, file: IO[bytes] | None) -> IO[bytes] | None:
    """Returns the file that has this name now, None if it is still `file`, or if there is none."""
    now = _opened(path)
    if now is None or file is None:
        return now
    if os.path.sameopenfile(now.fileno(), file.fileno()):
        now.close()
        return None
    return now


def _opened(path: str) -> IO[bytes] | None:
    try:
        return open(path, "rb")
    except OSError:
        return None
