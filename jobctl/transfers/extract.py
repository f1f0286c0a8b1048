"""Extracts the tar stream of a job's files into local files.

The tar comes from a job and is not trusted: only regular files and folders are created, never through a link, never outside the
destination; owners and special permission bits are ignored. A file's size is checked before its content is written. Blocks of zeros
become holes, since a sparse file arrives with all of its zeros.
"""

import os
import stat
import tarfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from jobctl.errors import LocalFile, OutputMissing
from jobctl.transfers import marks, replace, stream_output
from jobctl.transfers.destination import Place, shown
from jobctl.transfers.replace import FOLDER
from jobctl.transfers.staging import Staging
from jobctl.transfers.stream_output import BLOCK_BYTES, Readable
from jobctl.units import bytes_text
from jobd.wire.files.paths import path_flaw

MARGIN_SHARE = 20
"""A copy leaves one part in `MARGIN_SHARE` of the free space free."""
MOST_DEPTH = 256
_NO_BOUND = 1 << 63
_ZEROS = bytes(BLOCK_BYTES)


@dataclass(slots=True)
class Extracted:
    """The result. `skipped`: members that are neither files nor folders. `most_bytes`: the bound of all sizes together, by default
    the free space of the disk.
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
    """Writes the workspace's `path` from the tar `stream` to `place`.

    A file is replaced by a rename and keeps its mode; a device or a FIFO is written to. A folder is replaced as a whole, where
    `check_folder` permits it. `max_bytes`: bounds the sizes of all files together; default: the free space of the destination's disk,
    less a twentieth. After an error the destination is unchanged, unless it is a device or a FIFO.

    Raises:
        OutputMissing: the tar is empty.
        LocalFile: the destination cannot be written, the files exceed the bound, a name leads outside, or the stream is no tar.
    """
    target = place.target
    if max_bytes is not None:
        extracted = Extracted(target, max_bytes, "--max-size allows")
    elif _is_special(target):
        extracted = Extracted(target, _NO_BOUND, "")
    else:
        extracted = Extracted(target, room_bytes(target), "fit on the disk")
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
                archive.members.clear()  # type: ignore[attr-defined]  # tarfile would keep every member
                any_member = True
                parts = _parts(member.name)[1:]
                if not parts and member.isreg():
                    _single_file(archive, member, place, extracted, stack)
                    continue
                if not (member.isreg() or member.isdir()):
                    extracted.skipped.append(shown(member.name))
                    continue
                if folder is None:
                    folder = stack.enter_context(Staging(place))
                _inside(archive, member, folder.root, parts, extracted)
            while stream.read(BLOCK_BYTES):
                pass  # the tar has ended; the answer must end in order too, or it was cut
            if folder is not None:
                folder.commit()
    except (tarfile.TarError, ValueError, RecursionError) as error:
        raise LocalFile(f"jobd sent no valid tar archive of {path!r}: {error}") from None
    except OSError as error:
        at = error.filename if isinstance(error.filename, str) else str(target)
        raise LocalFile(f"{shown(at)} cannot be written: {(error.strerror or str(error)).lower()}") from None
    if not any_member:
        raise OutputMissing(f"the job has no {path!r}")
    if not extracted.files and extracted.skipped and folder is None:
        raise stream_output.not_fetchable(path)
    return extracted


def _is_special(target: Path) -> bool:
    """True for a device or a FIFO: its content takes no disk space."""
    try:
        mode = target.lstat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def room_bytes(target: Path) -> int:
    """Returns how many bytes may be written to the disk of `target`, which need not exist: the free space less a twentieth."""
    for folder in (target, *target.absolute().parents):
        try:
            disk = os.statvfs(folder)
        except OSError:
            continue
        free = disk.f_bavail * disk.f_frsize
        return free - free // MARGIN_SHARE
    return 0


def _parts(name: str) -> list[str]:
    """Returns the parts of a member's name; the first is the root's own name. A tar of `.` has members such as `./a`.

    Stricter than `path_parts`: jobd sends plain names, so jobctl refuses an empty name or a `.` further on.
    """
    parts = name.rstrip("/").split("/")
    if path_flaw(name) or any(part in ("", ".") for part in parts[1:]) or len(parts) > MOST_DEPTH:
        raise LocalFile(
            f"the archive contains the name '{shown(name)}', which leads outside the destination; jobctl wrote nothing"
        )
    return parts


def _single_file(
    archive: tarfile.TarFile,
    member: tarfile.TarInfo,
    place: Place,
    extracted: Extracted,
    until_end: ExitStack,
) -> None:
    """Writes one file. Closing `until_end` puts the file in place."""
    target = place.target
    if place.contents:
        raise LocalFile(f"'{shown(member.name)}' is a file", hint="name the file, not the folder around it")
    try:
        before = target.lstat()
    except FileNotFoundError:
        before = None
        target.parent.mkdir(parents=True, exist_ok=True)
    if before is not None and stat.S_ISDIR(before.st_mode):
        raise LocalFile(
            f"{shown(target)} is a folder, but the output is a file",
            hint=f"use {shown(target)}/ to put the output inside",
        )
    if before is not None and not stat.S_ISREG(before.st_mode):
        size = _bounded(member, extracted)
        content = archive.extractfile(member)
        if content is not None:
            with stream_output.special_file(target, before.st_mode) as out:
                stream_output.copy(content, size, out, member.name)
            extracted.add(size)
        return
    replace.sweep(target.parent, target.name)
    folder = os.open(target.parent, FOLDER)
    until_end.callback(os.close, folder)
    descriptor = until_end.enter_context(replace.new_file(folder, target.name, before))
    _write(archive, member, descriptor, extracted)
    if before is None:
        _permit_execution(member, descriptor)


def _inside(
    archive: tarfile.TarFile, member: tarfile.TarInfo, root: int, parts: list[str], extracted: Extracted
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
                    f"{shown(extracted.target)}/{shown('/'.join(parts))} cannot be written: {shown(part)} is not a folder"
                ) from error
            if fresh:
                marks.mark(inner)
            os.close(folder)
            folder = inner
        if member.isreg():
            with replace.new_file(folder, parts[-1]) as descriptor:
                _write(archive, member, descriptor, extracted)
                _permit_execution(member, descriptor)
    finally:
        os.close(folder)


def _bounded(member: tarfile.TarInfo, extracted: Extracted) -> int:
    """Returns the size of the file. Raises LocalFile where the size exceeds the rest of the bound."""
    if not 0 <= member.size < 1 << 63:
        raise LocalFile(f"the file '{shown(member.name)}' has an impossible size; jobctl wrote nothing")
    left = extracted.most_bytes - extracted.size_bytes
    if member.size > left:
        raise LocalFile(
            f"the file '{shown(member.name)}' has {bytes_text(member.size)}, more than the {bytes_text(max(0, left))} that"
            f" {extracted.bounded_by}; jobctl wrote nothing",
            hint="set another bound with jobctl cp --max-size SIZE; blocks of zeros take no disk space",
        )
    return member.size


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, descriptor: int, extracted: Extracted) -> None:
    """Writes the member's content to an empty file, blocks of zeros as holes."""
    left = size = _bounded(member, extracted)
    content = archive.extractfile(member)
    if content is None:
        return
    with os.fdopen(descriptor, "wb", closefd=False) as out:
        while left > 0:
            block = content.read(min(BLOCK_BYTES, left))
            if not block:
                raise LocalFile(f"the file '{shown(member.name)}' was cut during the transfer")
            if block == _ZEROS[: len(block)]:
                out.seek(len(block), os.SEEK_CUR)
            else:
                out.write(block)
            left -= len(block)
        out.truncate(size)
    extracted.add(size)


def _permit_execution(member: tarfile.TarInfo, descriptor: int) -> None:
    if member.mode & 0o111:
        os.fchmod(descriptor, os.fstat(descriptor).st_mode & 0o777 | (0o111 & ~_umask()))


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
