"""job: copies a file or a directory of an earlier job's workspace, which is mounted read-only at `/jobs/ID`.

The bytes go from volume to volume inside the kernel. Holes of sparse files stay holes. Files and directories keep their permissions, files
their time; all of them belong to the worker's user. Links are copied as links and never followed. Files with several names stay one
file. A FIFO, socket or device fails the artifact, since an incomplete copy would go unnoticed.
"""

import errno
import os
import stat
from typing import IO

from jobd.wire.artifact import JobFiles
from sidecar.artifacts.base import Context, Transferred
from sidecar.entry import Entry, kind_of, parts_of, shown
from sidecar.errors import ArtifactError, Missing
from sidecar.workspace.paths import Workspace

BLOCK_BYTES = 8 << 20
_NOT_IN_KERNEL = (errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF)
"""The errors of copy_file_range(2) after which the bytes are copied through memory."""


def transfer(artifact: JobFiles, context: Context) -> Transferred:
    """Copies the file or the directory, and returns the size of the copied files."""
    name = f"job {artifact.job!r}"
    with context.interrupts.time_limit(context.caps.local_s):
        try:
            source = Workspace(f"{context.jobs_folder}/{artifact.job}", 0, 0)
        except OSError as error:
            raise ArtifactError(
                f"the workspace of {name} is not there ({error.strerror}); jobd mounts it for a job's inputs"
            ) from None
        copy = _Copy(source, artifact, context)
        try:
            copy.run()
        except Missing:
            from sidecar.workspace.missing import held_instead

            held = held_instead(source, artifact.source)
            words = f"{name} has no {shown(artifact.source)!r} in its workspace"
            raise Missing(f"{words}; there {held}" if held else words) from None
        except ArtifactError as error:
            raise ArtifactError(f"{name}: {error}{copy.progress()}") from error
        finally:
            source.close()
    return Transferred(size_bytes=copy.size_bytes)


class _Copy:
    """One artifact's copy. Nothing of the source is followed, and nothing outside `out` is written."""

    def __init__(self, source: Workspace, artifact: JobFiles, context: Context) -> None:
        self._source, self._artifact, self._context = source, artifact, context
        self._workspace = context.workspace
        self._names: dict[tuple[int, int], str] = {}
        """The first copied name of each file with several names, by device and inode."""
        self._files = self._members = 0
        self.size_bytes = 0

    def progress(self) -> str:
        """Returns the number of copied files, for the text of a failure."""
        return f"; files copied before: {self._files}" if self._files else ""

    def run(self) -> None:
        """Copies everything."""
        path, out = "/".join(parts_of(self._artifact.source)), self._artifact.out
        status = self._source.status(path or ".")
        if stat.S_ISDIR(status.st_mode):
            self._tree(path, "/".join(parts_of(out)))
        else:
            folder = out.endswith("/") or not parts_of(out)
            self._one(path, f"{out}/{path.rpartition('/')[2]}" if folder else out, status)

    def _tree(self, source: str, out: str) -> None:
        self._workspace.make_directory(out or ".")
        pending = [""]
        while pending:
            below = pending.pop()
            for entry in self._entries(f"{source}/{below}" if source and below else below or source or "."):
                place = f"{below}{entry.name}"
                path = f"{source}/{place}" if source else place
                target = f"{out}/{place}" if out else place
                if entry.is_directory:
                    self._workspace.make_directory(target)
                    self._workspace.set_mode(target, stat.S_IMODE(entry.status.st_mode) & 0o777 | 0o700)
                    pending.append(f"{place}/")
                else:
                    self._one(path, target, entry.status)

    def _entries(self, path: str) -> list[Entry]:
        entries = self._source.entries(path, self._context.caps.copy_entries)
        self._members += len(entries)
        if self._members > self._context.caps.copy_members:
            most = self._context.caps.copy_members
            raise ArtifactError(f"{shown(self._artifact.source)}: contains more than {most} files")
        return entries

    def _one(self, path: str, target: str, status: os.stat_result) -> None:
        if stat.S_ISLNK(status.st_mode):
            if path == "/".join(parts_of(self._artifact.source)):
                raise ArtifactError(f"{shown(path)}: is a symbolic link; name its target instead")
            self._workspace.symlink(target, self._source.read_link(path))
        elif not stat.S_ISREG(status.st_mode):
            raise ArtifactError(f"{shown(path)}: is {kind_of(status.st_mode)}, not a file or directory")
        elif status.st_nlink > 1 and (known := self._names.get((status.st_dev, status.st_ino))):
            self._workspace.hardlink(target, known)
        else:
            self._file(path, target)
            if status.st_nlink > 1:
                self._names[(status.st_dev, status.st_ino)] = target
        self._files += 1

    def _file(self, path: str, target: str) -> None:
        with self._source.open(path) as file:
            status = os.fstat(file.fileno())
            with self._workspace.replace(target, stat.S_IMODE(status.st_mode) & 0o777) as copy:
                self._content(file, copy, status.st_size)
                os.utime(copy.fileno(), ns=(status.st_mtime_ns, status.st_mtime_ns))

    def _content(self, file: IO[bytes], copy: IO[bytes], size: int) -> None:
        """Copies the data of a file and leaves its holes out."""
        source, target = file.fileno(), copy.fileno()
        os.ftruncate(target, size)
        at = 0
        while at < size:
            try:
                at = os.lseek(source, at, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                break  # the rest is a hole
            end = os.lseek(source, at, os.SEEK_HOLE)
            while at < end:
                copied = _copied(source, target, min(BLOCK_BYTES, end - at), at)
                if not copied:
                    raise ArtifactError("a file became shorter while it was copied")
                at += copied
                self.size_bytes += copied
                self._context.meter(self.size_bytes, None)


def _copied(source: int, target: int, size: int, at: int) -> int:
    """Copies up to `size` bytes at the offset `at`, and returns their number."""
    try:
        return os.copy_file_range(source, target, size, at, at)
    except OSError as error:
        if error.errno not in _NOT_IN_KERNEL:
            raise
    block = os.pread(source, min(size, 1 << 20), at)
    done = 0
    while done < len(block):
        done += os.pwrite(target, block[done:], at + done)
    return done
