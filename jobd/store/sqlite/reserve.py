"""The disk reserve: a file that jobd deletes when the disk is full, so that the changes of running jobs still fit.

Owns the file, its size and whether it exists. Knows no database; the writer decides which changes may use the space.
"""

import os
import shutil
import threading
from pathlib import Path

RESERVE_BYTES = 8 << 20
SHARE_OF_DISK = 16
"""On a small disk the reserve is at most this part of the disk."""


class Reserve:
    """The reserve at `path`. Thread-safe."""

    def __init__(self, path: Path, size_bytes: int = RESERVE_BYTES) -> None:
        self._path = path
        self._wanted_bytes = size_bytes
        self._lock = threading.Lock()
        self._is_allocated = False

    @property
    def is_allocated(self) -> bool:
        """True while the file exists; False once it was released, and while the disk has had no space for it."""
        return self._is_allocated

    def allocate(self) -> bool:
        """Creates the file if it is missing and the disk has twice its size free. Returns whether the file exists."""
        with self._lock:
            if not self._is_allocated:
                try:
                    self._is_allocated = self._created()
                except OSError:
                    self._path.unlink(missing_ok=True)
            return self._is_allocated

    def release(self) -> bool:
        """Deletes the file. Returns whether that freed any space."""
        with self._lock:
            was_allocated, self._is_allocated = self._is_allocated, False
            try:
                self._path.unlink(missing_ok=True)
            except OSError:
                return False
            return was_allocated

    @property
    def disk_is_full(self) -> bool:
        """True where the disk has less free than a tenth of the reserve: a failed write has failed for that reason."""
        try:
            return shutil.disk_usage(self._path.parent).free < self.size_bytes // 10
        except OSError:
            return False

    @property
    def size_bytes(self) -> int:
        """The size of the file, or the size that it would have."""
        return min(self._wanted_bytes, shutil.disk_usage(self._path.parent).total // SHARE_OF_DISK)

    def _created(self) -> bool:
        size = self.size_bytes
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            found = os.fstat(descriptor)
            if found.st_size >= size and found.st_blocks * 512 >= size:
                return True
            if shutil.disk_usage(self._path.parent).free < 2 * size:
                raise OSError("the disk has too little space for the reserve")
            os.posix_fallocate(descriptor, 0, size)
        finally:
            os.close(descriptor)
        return True
