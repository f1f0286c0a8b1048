"""The log in a file that is bounded in bytes, for a jobd whose standard error nothing collects.

Owns the file and its rotation. Everything that the process writes to its standard output and error goes there too, so that the log has a
traceback of the interpreter as well.
"""

import os
import stat
from pathlib import Path

from jobd.errors import ConfigError

MOST_BYTES = 8 << 20
"""The largest file; the file before it is as large."""
VARIABLE = "LOG_FILE"
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class LogFile:
    """A stream for `logging`. Before the file exceeds `most_bytes`, it gets the same name with .1, in the place of the file before."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES, takes: tuple[int, ...] = (1, 2)) -> None:
        """Opens the file, which only its user may read. `takes`: the descriptors that refer to the file from now on.

        Raises:
            ConfigError: the file cannot be opened.
        """
        self._path = path
        self._most_bytes = most_bytes
        self._takes = takes
        self._descriptor = _opened(path)
        self._take_output()

    def write(self, text: str) -> None:
        """Appends a text. Raises OSError, for instance on a full disk: `logging` then drops the text."""
        data = text.encode(errors="backslashreplace")[: self._most_bytes]
        size = os.fstat(self._descriptor).st_size
        if size and size + len(data) > self._most_bytes:
            self._rotate()
        os.write(self._descriptor, data)

    def flush(self) -> None:
        """Does nothing: `write` keeps nothing back."""

    def reopen(self) -> None:
        """Opens the file by its name: another program may have moved the file away. If that fails, the open file stays in use."""
        try:
            opened = _opened(self._path)
        except ConfigError:
            return
        os.close(self._descriptor)
        self._descriptor = opened
        self._take_output()

    def _rotate(self) -> None:
        try:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        except OSError:
            os.ftruncate(self._descriptor, 0)  # without a right to rename: the bound comes first
        else:
            self.reopen()

    def _take_output(self) -> None:
        for descriptor in self._takes:
            os.dup2(self._descriptor, descriptor)


def check_log_file(path: Path) -> None:
    """Raises ConfigError if jobd cannot write its log to this file. Creates and changes nothing."""
    if os.path.lexists(path):
        os.close(_opened(path, 0))
    elif not path.parent.is_dir():
        raise ConfigError(
            [f"{VARIABLE}: the folder {path.parent} does not exist; create it, or choose another path"]
        )
    elif not os.access(path.parent, os.W_OK | os.X_OK):
        raise ConfigError([f"{VARIABLE}: this user may create no file in {path.parent}; choose another path"])


def _opened(path: Path, create: int = os.O_CREAT) -> int:
    try:
        descriptor = os.open(path, _FLAGS | create, 0o600)
    except OSError as error:
        why = " is a symbolic link; name the link's target" if path.is_symlink() else f": {error.strerror}"
        raise ConfigError([f"{VARIABLE}: {path}{why}"]) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ConfigError([f"{VARIABLE}: {path} is no regular file; choose another path"])
    return descriptor
