"""The workspace: opens regular files and directories beneath its folder, and never follows a link.

Owns all access to the job's files. A worker may have created anything there: links to `/etc/shadow`, FIFOs, devices. No function follows
a link in any part of a path, and none blocks. New files belong to the worker's user, and get their name only when they are complete.

Source: docs/security.md, "The sidecar"; openat2(2).
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from jobd.wire.files.paths import Parts
from sidecar.entry import READY_FILE, Entry, kind_of, parts_of, shown
from sidecar.errors import ArtifactError, artifact_error

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Workspace:
    """The folder that a job's worker and sidecar share.

    Paths are relative and native (see `entry.native`). All methods raise ArtifactError, and Missing for a path that does not exist.
    """

    def __init__(self, root: str, uid: int, gid: int, *, use_openat2: bool = True) -> None:
        """Opens `root`, which the operator configured and which may be reached through links.

        Raises:
            OSError: `root` is no directory or cannot be opened.
        """
        self._uid, self._gid = uid, gid
        self._changes_owner = os.geteuid() == 0
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._openat2 = None
        if use_openat2:
            from sidecar.workspace import openat2

            if openat2.is_available(self._root):
                self._openat2 = openat2.open_beneath

    def close(self) -> None:
        """Closes the folder."""
        os.close(self._root)

    def take_over(self) -> None:
        """Gives the folder itself to the worker's user. Other users than root keep their own folder."""
        with _translated_errors("."):
            self._own(self._root)

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """Opens a regular file for reading."""
        with _translated_errors(path):
            fd = self._open(parts_of(path), _FILE)
            mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode):
            os.close(fd)
            raise ArtifactError(f"{shown(path)}: is {kind_of(mode)}, not a regular file")
        with os.fdopen(fd, "rb") as file:
            yield file

    @contextmanager
    def replace(self, path: str, mode: int = 0o644) -> Iterator[IO[bytes]]:
        """Opens a new file for writing. When the block succeeds, the file gets its name and replaces an existing file."""
        *parents, name = self._named(path)
        with _translated_errors(path):
            directory = self._make(tuple(parents))
            try:
                part = f".sidecar-{os.urandom(8).hex()}.part"
                fd = os.open(part, _NEW, 0o600, dir_fd=directory)
                try:
                    with os.fdopen(fd, "wb") as file:
                        self._own(fd)
                        yield file
                        file.flush()
                        os.fchmod(fd, mode)
                    os.rename(part, name, src_dir_fd=directory, dst_dir_fd=directory)
                except BaseException:
                    os.unlink(part, dir_fd=directory)
                    raise
            finally:
                os.close(directory)

    def make_directory(self, path: str) -> None:
        """Creates a directory and its parents, where they do not exist."""
        with _translated_errors(path):
            os.close(self._make(parts_of(path)))

    def set_mode(self, path: str, mode: int) -> None:
        """Sets the permissions of a directory."""
        with _translated_errors(path), self._directory(parts_of(path)) as fd:
            os.fchmod(fd, mode)

    def symlink(self, path: str, target: str) -> None:
        """Creates a symbolic link, and replaces an existing file or link. The caller checks `target`."""
        *parents, name = self._named(path)
        with _translated_errors(path):
            directory = self._make(tuple(parents))
            try:
                self._clear(directory, name)
                os.symlink(target, name, dir_fd=directory)
                if self._changes_owner:
                    os.chown(name, self._uid, self._gid, dir_fd=directory, follow_symlinks=False)
            finally:
                os.close(directory)

    def hardlink(self, path: str, source: str) -> None:
        """Creates a hard link `path` to the regular file `source`, and replaces an existing file or link."""
        *parents, name = self._named(path)
        *source_parents, source_name = self._named(source)
        if self._named(path) == self._named(source):
            return
        with _translated_errors(source), self._directory(tuple(source_parents)) as source_directory:
            status = os.stat(source_name, dir_fd=source_directory, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                raise ArtifactError(f"{shown(source)}: is {kind_of(status.st_mode)}, not a regular file")
            with _translated_errors(path):
                directory = self._make(tuple(parents))
                try:
                    self._clear(directory, name)
                    os.link(
                        source_name,
                        name,
                        src_dir_fd=source_directory,
                        dst_dir_fd=directory,
                        follow_symlinks=False,
                    )
                finally:
                    os.close(directory)

    def status(self, path: str) -> os.stat_result:
        """Returns the status of `path`, without following a link."""
        *parents, name = parts_of(path) or (".",)
        with _translated_errors(path), self._directory(tuple(parents)) as fd:
            return os.stat(name, dir_fd=fd, follow_symlinks=False)

    def entries(self, path: str, at_most: int) -> list[Entry]:
        """Returns the entries of a directory, sorted by name, without `.ready` of the workspace.

        Raises:
            ArtifactError: the directory has more than `at_most` entries.
        """
        parts = parts_of(path)
        entries: list[Entry] = []
        with _translated_errors(path), self._directory(parts) as fd, os.scandir(fd) as names:
            for entry in names:
                if not parts and entry.name == READY_FILE:
                    continue
                if len(entries) >= at_most:
                    raise ArtifactError(f"{shown(path)}: contains too many files")
                entries.append(Entry(entry.name, entry.stat(follow_symlinks=False)))
        return sorted(entries, key=lambda entry: os.fsencode(entry.name))

    def read_link(self, path: str) -> str:
        """Returns the target of a symbolic link."""
        *parents, name = self._named(path)
        with _translated_errors(path), self._directory(tuple(parents)) as fd:
            return os.readlink(name, dir_fd=fd)

    def _named(self, path: str) -> Parts:
        parts = parts_of(path)
        if not parts:
            raise ArtifactError(f"'{shown(path)}': must name a path inside the workspace")
        return parts

    @contextmanager
    def _directory(self, parts: Parts) -> Iterator[int]:
        fd = self._open(parts, _DIRECTORY)
        try:
            yield fd
        finally:
            os.close(fd)

    def _open(self, parts: Parts, flags: int) -> int:
        if self._openat2 is not None:
            return self._openat2(self._root, "/".join(parts) or ".", flags)
        return self._walk(parts, flags)

    def _walk(self, parts: Parts, flags: int) -> int:
        """Does the same without openat2: opens each name in its parent, without following links."""
        at = os.open(".", _DIRECTORY, dir_fd=self._root)
        for index, name in enumerate(parts):
            last = index == len(parts) - 1
            try:
                step = os.open(name, flags if last else _DIRECTORY, dir_fd=at)
            except NotADirectoryError:
                if stat.S_ISLNK(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None
                raise
            finally:
                os.close(at)
            at = step
        return at

    def _make(self, parts: Parts) -> int:
        """Returns a descriptor of the directory. Creates it with its parents where it does not exist."""
        try:
            return self._open(parts, _DIRECTORY)
        except FileNotFoundError:
            pass
        at = os.open(".", _DIRECTORY, dir_fd=self._root)
        for name in parts:
            try:
                step = self._enter_or_make(at, name)
            finally:
                os.close(at)
            at = step
        return at

    def _enter_or_make(self, at: int, name: str) -> int:
        try:
            return os.open(name, _DIRECTORY, dir_fd=at)
        except FileNotFoundError:
            os.mkdir(name, 0o755, dir_fd=at)
        fd = os.open(name, _DIRECTORY, dir_fd=at)
        self._own(fd)
        return fd

    def _clear(self, directory: int, name: str) -> None:
        try:
            os.unlink(name, dir_fd=directory)
        except FileNotFoundError:
            pass

    def _own(self, fd: int) -> None:
        if self._changes_owner:
            os.fchown(fd, self._uid, self._gid)


@contextmanager
def _translated_errors(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise artifact_error(error, shown(path or ".")) from error
