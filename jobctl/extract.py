"""A job's files on their way out: a tar stream, taken apart member by member into the caller's own files.

Owns writing beneath the destination, and nowhere else: only regular files and folders are made, never through a link,
never outside. The tar comes from a job and is not trusted. Ownership and special permission bits in it are ignored. The sizes
in it are bounded before anything of a file is written, and its zeros become holes: a sparse file of a job comes as all of its
zeros.
"""

import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol, cast

from jobctl.errors import LocalFile, OutputMissing
from jobctl.quantities import bytes_text
from jobd.wire.filenames import escape

BLOCK_BYTES = 1 << 18
MARGIN_SHARE = 20
"""A part of the free space, one in so many, that a copy leaves free."""
MOST_DEPTH = 256
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ZEROS = bytes(BLOCK_BYTES)
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


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


class Readable(Protocol):
    """Where the tar comes from."""

    def read(self, size: int = -1, /) -> bytes:
        """Returns the next `size` bytes; fewer only at the end."""
        ...


def extract(stream: Readable, path: str, destination: str, max_bytes: int | None = None) -> Extracted:
    """Writes what the tar `stream` holds of the workspace's `path` to `destination` and returns what was made.

    A destination that is a folder, or ends in `/`, gets it inside under its own name; else it becomes the destination.
    `.` puts the workspace's content there. Folders are merged, files replaced. `max_bytes` bounds the sizes of all files
    together; without it, the free space of the destination's disk does, less a twentieth.

    Raises:
        OutputMissing: the stream holds nothing.
        LocalFile: the destination cannot be written, a file is larger than what is left of the bound, a name leads outside, or
            the stream is no tar.
    """
    base = path.rstrip("/").rpartition("/")[2]
    target = Path(destination).expanduser()
    inside = destination.endswith("/") or target.is_dir()
    if inside and base not in ("", "."):
        target = target / base
    bounded_by = "its disk has room for" if max_bytes is None else "--max-size allows"
    made = Extracted(target, room_bytes(target) if max_bytes is None else max_bytes, bounded_by)
    root: int | None = None
    any_member = False
    try:
        with tarfile.open(
            fileobj=cast(IO[bytes], stream), mode="r|", bufsize=BLOCK_BYTES, errorlevel=2
        ) as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # it would remember every member
                any_member = True
                parts = _parts(member.name)[1:]
                if not parts and member.isreg():
                    _single_file(archive, member, target, made)
                    continue
                if not (member.isreg() or member.isdir()):
                    made.skipped.append(_shown(member.name))
                    continue
                if root is None:
                    target.mkdir(parents=True, exist_ok=True)
                    root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                _inside(archive, member, root, parts, made)
    except (tarfile.TarError, ValueError, RecursionError) as error:
        raise LocalFile(f"jobd sent no tar archive of {path!r}: {error}") from None
    except OSError as error:
        at = error.filename if isinstance(error.filename, str) else str(target)
        raise LocalFile(f"{_shown(at)} cannot be written: {(error.strerror or str(error)).lower()}") from None
    finally:
        if root is not None:
            os.close(root)
    if not any_member:
        raise OutputMissing(f"the job has no {path!r}")
    if not made.files and made.skipped and root is None:
        raise LocalFile(
            f"{path!r} is a link or a special file, which is not fetched",
            hint="name the file that it points at",
        )
    return made


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
    """The names on the way, the first being the root's own. A stream of `.` has members such as `./a`."""
    if name.startswith("/") or "\0" in name:
        raise LocalFile(
            f"the archive holds the name '{_shown(name)}', which leads outside; nothing of it is written"
        )
    parts = name.rstrip("/").split("/")
    if ".." in parts or any(part in ("", ".") for part in parts[1:]) or len(parts) > MOST_DEPTH:
        raise LocalFile(
            f"the archive holds the name '{_shown(name)}', which leads outside; nothing of it is written"
        )
    return parts


def _single_file(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, made: Extracted) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _write(archive, member, folder, target.name, made)
    finally:
        os.close(folder)


def _inside(
    archive: tarfile.TarFile, member: tarfile.TarInfo, root: int, parts: list[str], made: Extracted
) -> None:
    folder = os.dup(root)
    try:
        for part in parts if member.isdir() else parts[:-1]:
            try:
                os.mkdir(part, 0o777, dir_fd=folder)
            except FileExistsError:
                pass
            try:
                inner = os.open(part, _FOLDER, dir_fd=folder)
            except OSError as error:
                raise LocalFile(
                    f"{_shown(made.target)}/{_shown('/'.join(parts))} cannot be written: {_shown(part)} is there and is no folder"
                ) from error
            os.close(folder)
            folder = inner
        if member.isreg():
            _write(archive, member, folder, parts[-1], made)
    finally:
        os.close(folder)


def _write(
    archive: tarfile.TarFile, member: tarfile.TarInfo, folder: int, name: str, made: Extracted
) -> None:
    """Writes beside the name and then renames: a reader never sees half a file, and a link of that name is replaced
    rather than followed.
    """
    if not 0 <= member.size < 1 << 63:
        raise LocalFile(
            f"the file '{_shown(member.name)}' has a size that no file can have; nothing of it is written"
        )
    left = made.most_bytes - made.size_bytes
    if member.size > left:
        raise LocalFile(
            f"the file '{_shown(member.name)}' has {bytes_text(member.size)}, which is more than the {bytes_text(max(0, left))} that"
            f" {made.bounded_by}; nothing of it is written",
            hint="jobctl cp --max-size SIZE sets another bound; zeros are written as holes and take no room",
        )
    content = archive.extractfile(member)
    if content is None:
        return
    # Cut by bytes, of which a name may have 255: a character has up to four.
    partial = f".{os.fsdecode(os.fsencode(name)[:180])}.jobctl-{os.getpid()}"
    file = os.open(partial, _NEW_FILE, 0o666, dir_fd=folder)
    try:
        with os.fdopen(file, "wb") as out:
            left = member.size
            while left > 0:
                block = content.read(min(BLOCK_BYTES, left))
                if not block:
                    raise LocalFile(f"the file '{_shown(member.name)}' was cut on its way")
                if block == _ZEROS[: len(block)]:
                    out.seek(len(block), os.SEEK_CUR)
                else:
                    out.write(block)
                left -= len(block)
            out.truncate(member.size)
            if member.mode & 0o111:
                os.fchmod(out.fileno(), os.fstat(out.fileno()).st_mode & 0o777 | (0o111 & ~_umask()))
        os.rename(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(partial, dir_fd=folder)
        raise
    made.files += 1
    made.size_bytes += member.size


def _shown(path: str | Path) -> str:
    return escape(os.fsencode(path))


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
