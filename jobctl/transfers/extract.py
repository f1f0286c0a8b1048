"""A job's files on their way out: a tar stream, taken apart member by member into the caller's own files.

Owns what is taken of the tar: only regular files and folders are made, never through a link, never outside. The tar comes from a
job and is not trusted. Ownership and special permission bits in it are ignored. The sizes in it are bounded before anything of a
file is written, and its zeros become holes: a sparse file of a job comes as all of its zeros. Where it goes is
`destination.py`'s, how something takes the place of what was there `replace.py`'s, writing to open files `stream_output.py`'s.
"""

import os
import stat
import tarfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from jobctl.errors import LocalFile, OutputMissing
from jobctl.job.units import bytes_text
from jobctl.transfers import marks, replace, stream_output
from jobctl.transfers.destination import Place, shown
from jobctl.transfers.replace import FOLDER
from jobctl.transfers.staging import Staging
from jobctl.transfers.stream_output import BLOCK_BYTES, Readable
from jobd.wire.paths import path_flaw

MARGIN_SHARE = 20
"""A part of the free space, one in so many, that a copy leaves free."""
MOST_DEPTH = 256
_NO_BOUND = 1 << 63
_ZEROS = bytes(BLOCK_BYTES)


@dataclass(slots=True)
class Extracted:
    """What was made; `skipped` names members that are no files or folders (links, devices). `most_bytes` bounds the sizes of all
    files together; where the caller has set none, it is the disk's room.
    """

    target: Path
    most_bytes: int
    bounded_by: str
    files: int = 0
    size_bytes: int = 0
    skipped: list[str] = field(default_factory=list)

    def add(self, size_bytes: int) -> None:
        """Counts one more file."""
        self.files += 1
        self.size_bytes += size_bytes


def extract(stream: Readable, path: str, place: Place, max_bytes: int | None = None) -> Extracted:
    """Writes what the tar `stream` holds of the workspace's `path` to `place` and returns what was made.

    A file is replaced by a rename, and keeps its mode; a device or a FIFO is written to. A folder is replaced as a whole, where
    `check_folder` allows that. `max_bytes` bounds the sizes of all files together; without it, the free space of the
    destination's disk does, less a twentieth. At an error nothing is changed, but what a device or a FIFO was given.

    Raises:
        OutputMissing: the stream holds nothing.
        LocalFile: the destination cannot be written, a file is larger than what is left of the bound, a name leads outside, or
            the stream is no tar.
    """
    target = place.target
    if max_bytes is not None:
        made = Extracted(target, max_bytes, "--max-size allows")
    elif _is_special(target):
        made = Extracted(target, _NO_BOUND, "")
    else:
        made = Extracted(target, room_bytes(target), "its disk has room for")
    any_member = False
    try:
        with (
            ExitStack() as stack,
            tarfile.open(
                fileobj=cast(IO[bytes], stream), mode="r|", bufsize=BLOCK_BYTES, errorlevel=2
            ) as archive,
        ):
            folder: Staging | None = None
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # it would remember every member
                any_member = True
                parts = _parts(member.name)[1:]
                if not parts and member.isreg():
                    _single_file(archive, member, place, made, stack)
                    continue
                if not (member.isreg() or member.isdir()):
                    made.skipped.append(shown(member.name))
                    continue
                if folder is None:
                    folder = stack.enter_context(Staging(place))
                _inside(archive, member, folder.root, parts, made)
            while stream.read(BLOCK_BYTES):
                pass  # the tar has ended; whether the answer ends in order too says that it is all
            if folder is not None:
                folder.commit()
    except (tarfile.TarError, ValueError, RecursionError) as error:
        raise LocalFile(f"jobd sent no tar archive of {path!r}: {error}") from None
    except OSError as error:
        at = error.filename if isinstance(error.filename, str) else str(target)
        raise LocalFile(f"{shown(at)} cannot be written: {(error.strerror or str(error)).lower()}") from None
    if not any_member:
        raise OutputMissing(f"the job has no {path!r}")
    if not made.files and made.skipped and folder is None:
        raise stream_output.special(path)
    return made


def _is_special(target: Path) -> bool:
    """What a device or a FIFO is given does not stay on the disk where it stands."""
    try:
        mode = target.lstat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def room_bytes(target: Path) -> int:
    """Returns how much may be written to the disk of `target`, which need not be there yet: its free space less a twentieth."""
    for folder in (target, *target.absolute().parents):
        try:
            disk = os.statvfs(folder)
        except OSError:
            continue
        free = disk.f_bavail * disk.f_frsize
        return free - free // MARGIN_SHARE
    return 0


def _parts(name: str) -> list[str]:
    """The names on the way, the first being the root's own. A stream of `.` has members such as `./a`.

    Stricter than `path_parts`: jobd sends plain names, so an empty name or a `.` further on is refused and not left out.
    """
    parts = name.rstrip("/").split("/")
    if path_flaw(name) or any(part in ("", ".") for part in parts[1:]) or len(parts) > MOST_DEPTH:
        raise LocalFile(
            f"the archive holds the name '{shown(name)}', which leads outside; nothing of it is written"
        )
    return parts


def _single_file(
    archive: tarfile.TarFile, member: tarfile.TarInfo, place: Place, made: Extracted, until_end: ExitStack
) -> None:
    """The file takes its place when `until_end` is closed."""
    target = place.target
    if place.contents:
        raise LocalFile(f"'{shown(member.name)}' is a file", hint="name it, and not the folder around it")
    try:
        before = target.lstat()
    except FileNotFoundError:
        before = None
        target.parent.mkdir(parents=True, exist_ok=True)
    if before is not None and stat.S_ISDIR(before.st_mode):
        raise LocalFile(
            f"{shown(target)} is a folder, and the output is a file",
            hint=f"say {shown(target)}/ to put it inside",
        )
    if before is not None and not stat.S_ISREG(before.st_mode):
        size = _bounded(member, made)
        content = archive.extractfile(member)
        if content is not None:
            with stream_output.special_file(target, before.st_mode) as out:
                stream_output.copy(content, size, out, member.name)
            made.add(size)
        return
    replace.sweep(target.parent, target.name)
    folder = os.open(target.parent, FOLDER)
    until_end.callback(os.close, folder)
    descriptor = until_end.enter_context(replace.new_file(folder, target.name, before))
    _write(archive, member, descriptor, made)
    if before is None:
        _permit_execution(member, descriptor)


def _inside(
    archive: tarfile.TarFile, member: tarfile.TarInfo, root: int, parts: list[str], made: Extracted
) -> None:
    folder = os.dup(root)
    try:
        for part in parts if member.isdir() else parts[:-1]:
            fresh = True
            try:
                os.mkdir(part, 0o777, dir_fd=folder)
            except FileExistsError:
                fresh = False
            try:
                inner = os.open(part, FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            except OSError as error:
                raise LocalFile(
                    f"{shown(made.target)}/{shown('/'.join(parts))} cannot be written: {shown(part)} is there and is no folder"
                ) from error
            if fresh:
                marks.mark(inner)
            os.close(folder)
            folder = inner
        if member.isreg():
            with replace.new_file(folder, parts[-1]) as descriptor:
                _write(archive, member, descriptor, made)
                _permit_execution(member, descriptor)
    finally:
        os.close(folder)


def _bounded(member: tarfile.TarInfo, made: Extracted) -> int:
    """Returns the size of the file. Raises LocalFile where it is over what is left of the bound."""
    if not 0 <= member.size < 1 << 63:
        raise LocalFile(
            f"the file '{shown(member.name)}' has a size that no file can have; nothing of it is written"
        )
    left = made.most_bytes - made.size_bytes
    if member.size > left:
        raise LocalFile(
            f"the file '{shown(member.name)}' has {bytes_text(member.size)}, which is more than the {bytes_text(max(0, left))} that"
            f" {made.bounded_by}; nothing of it is written",
            hint="jobctl cp --max-size SIZE sets another bound; zeros are written as holes and take no room",
        )
    return member.size


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, descriptor: int, made: Extracted) -> None:
    """Writes the member's content to an empty file, its zeros as holes."""
    left = size = _bounded(member, made)
    content = archive.extractfile(member)
    if content is None:
        return
    with os.fdopen(descriptor, "wb", closefd=False) as out:
        while left > 0:
            block = content.read(min(BLOCK_BYTES, left))
            if not block:
                raise LocalFile(f"the file '{shown(member.name)}' was cut on its way")
            if block == _ZEROS[: len(block)]:
                out.seek(len(block), os.SEEK_CUR)
            else:
                out.write(block)
            left -= len(block)
        out.truncate(size)
    made.add(size)


def _permit_execution(member: tarfile.TarInfo, descriptor: int) -> None:
    if member.mode & 0o111:
        os.fchmod(descriptor, os.fstat(descriptor).st_mode & 0o777 | (0o111 & ~_umask()))


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
