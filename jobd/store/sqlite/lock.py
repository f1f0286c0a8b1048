"""One daemon for each state directory: an flock on its `lock` file, which also contains the owner's process id.

The kernel releases the lock when the process ends, however it ends. Source: flock(2).
"""

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from jobd.store.errors import StateLocked, StoreFailed

LOCK_NAME = "lock"


class StateLock:
    """The lock of a state directory, from construction to `release`; also a context manager.

    Raises:
        StateLocked: another process has the lock; names its pid.
        StoreFailed: the lock file cannot be opened.
    """

    def __init__(self, state_dir: Path) -> None:
        path = state_dir / LOCK_NAME
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StoreFailed(f"cannot open the lock file {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = self._owner()
            os.close(self._fd)
            if not isinstance(error, BlockingIOError):
                raise StoreFailed(f"cannot lock {path}: {error.strerror}") from error
            who = f"process {pid}" if pid else "another process"
            raise StateLocked(
                f"{state_dir} is in use by {who}: stop that daemon or choose another state directory", pid
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def _owner(self) -> int | None:
        with contextlib.suppress(OSError, ValueError):
            return int(os.pread(self._fd, 32, 0))
        return None

    def release(self) -> None:
        """Releases the lock. Safe to repeat. The file remains: after its removal two processes could lock two different files."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.release()
