"""A file that only takes room: it is given up when the disk is full, so that what must be written still can be.

Owns the file, its size and whether it is there. Knows no database: who may use the room is the writer's knowledge.
"""

import os
import shutil
import threading
from pathlib import Path

RESERVE_BYTES = 8 << 20
SHARE_OF_DISK = 16
"""On a small disk the reserve is at most this part of it."""


class Reserve:
    """The reserve at `path`. Safe to use from any thread."""

    def __init__(self, path: Path, size_bytes: int = RESERVE_BYTES) -> None:
        self._path = path
        self._wanted_bytes = size_bytes
        self._lock = threading.Lock()
        self._held = False

    @property
    def held(self) -> bool:
        """True while the room is kept; False once it was given up, and where there was none to keep."""
        return self._held

    def restore(self) -> bool:
        """Makes the file where it is missing and the disk has twice its size free. Returns whether it is there."""
        with self._lock:
            if not self._held:
                try:
                    self._held = self._made()
                except OSError:
                    self._path.unlink(missing_ok=True)
            return self._held

    def give_up(self) -> bool:
        """Removes the file. Returns whether that gave any room."""
        with self._lock:
            had, self._held = self._held, False
            try:
                self._path.unlink(missing_ok=True)
            except OSError:
                return False
            return had

    @property
    def disk_is_full(self) -> bool:
        """True where the disk has less free than a tenth of the reserve: a write that failed has failed for that."""
        try:
            return shutil.disk_usage(self._path.parent).free < self.size_bytes // 10
        except OSError:
            return False

    @property
    def size_bytes(self) -> int:
        """How large it is, or would be."""
        return min(self._wanted_bytes, shutil.disk_usage(self._path.parent).total // SHARE_OF_DISK)

    def _made(self) -> bool:
        size = self.size_bytes
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            found = os.fstat(descriptor)
            if found.st_size >= size and found.st_blocks * 512 >= size:
                return True
            if shutil.disk_usage(self._path.parent).free < 2 * size:
                raise OSError("the disk has too little room for the reserve")
            os.posix_fallocate(descriptor, 0, size)
        finally:
            os.close(descriptor)
        return True
