"""Uploads local files into a job: a tar stream inside a multipart request.

Only regular files and folders are sent; a link is sent as its target, and any other file is refused before a byte is sent. One block is
in memory at a time.
"""

import os
import stat
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobctl.errors import LocalFile
from jobctl.transfers.transfer_flags import Transfer
from jobd.wire.files.filenames import unescape
from jobd.wire.files.paths import path_parts

BLOCK_BYTES = 1 << 18
_TAR_RECORD = tarfile.BLOCKSIZE


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of the tar: its name in the workspace, and its local file or folder; None: a folder that only contains other members."""

    name: str
    source: Path | None
    folder: bool


def members(uploads: Sequence[Transfer]) -> list[Member]:
    """Returns the members of the tar, folders before their content, each name once; a later upload replaces an earlier one.

    Raises:
        LocalFile: a source does not exist, cannot be read, is neither file nor folder, or contains itself.
    """
    by_name: dict[str, Member] = {}
    for upload in uploads:
        source = Path(upload.local).expanduser()
        parts = list(path_parts(os.fsdecode(unescape(upload.path))))
        mode = _mode(source)
        if stat.S_ISREG(mode) and (upload.path.endswith("/") or not parts):
            parts.append(source.resolve().name if source.name in ("", ".", "..") else source.name)
        for depth in range(1, len(parts)):
            lead = "/".join(parts[:depth])
            if lead not in by_name:
                by_name[lead] = Member(lead, None, True)
            elif not by_name[lead].folder:
                raise LocalFile(
                    f"--in {upload.path}={upload.local}: {lead} is already a file", field="artifacts"
                )
        name = "/".join(parts)
        if stat.S_ISREG(mode):
            _readable(source)
            by_name[name] = Member(name, source, False)
        else:
            for member in _walk(name, source, (os.path.realpath(source),)):
                by_name[member.name] = member
    by_name.pop("", None)
    return list(by_name.values())


def _walk(name: str, folder: Path, above: tuple[str, ...]) -> Iterator[Member]:
    yield Member(name, folder, True)
    try:
        entries = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise LocalFile(f"the folder {folder} cannot be read: {error.strerror}") from None
    for entry in entries:
        path, inner = folder / entry, f"{name}/{entry}" if name else entry
        if stat.S_ISDIR(_mode(path)):
            real = os.path.realpath(path)
            if real in above:
                raise LocalFile(
                    f"the folder {path} is a link to {real}, which contains it",
                    hint="remove the link or choose a smaller folder",
                )
            yield from _walk(inner, path, (*above, real))
        else:
            _readable(path)
            yield Member(inner, path, False)


def _mode(path: Path) -> int:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise LocalFile(
            f"the file {path} cannot be read: {(error.strerror or 'unusable name').lower()}"
        ) from None
    except ValueError:
        raise LocalFile(f"{str(path)!r} is not a valid file name") from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise LocalFile(
            f"{path} is neither a file nor a folder", hint="only files and folders can be sent into a job"
        )
    return mode


def _readable(path: Path) -> None:
    if not os.access(path, os.R_OK):
        raise LocalFile(f"the file {path} cannot be read: permission denied")


def size_bytes(entries: Sequence[Member]) -> int:
    """Returns the total size of the members' files. Leaves out files whose size cannot be read."""
    sizes = 0
    for member in entries:
        if member.source is not None and not member.folder:
            try:
                sizes += member.source.stat().st_size
            except OSError:
                continue  # `tar_stream` reports the error
    return sizes


def tar_stream(entries: Sequence[Member]) -> Iterator[bytes]:
    """Yields a POSIX tar of the members. Owner and group are 0: the daemon gives the files to the worker's user.

    Raises:
        LocalFile: a file became shorter or disappeared while it was read.
    """
    for member in entries:
        yield from _entry(member)
    yield b"\0" * (2 * _TAR_RECORD)


def _entry(member: Member) -> Iterator[bytes]:
    info = tarfile.TarInfo(member.name)
    if member.folder or member.source is None:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        if member.source is not None:
            status = member.source.stat()
            info.mode, info.mtime = stat.S_IMODE(status.st_mode) & 0o777 | 0o700, int(status.st_mtime)
        yield info.tobuf(tarfile.PAX_FORMAT)
        return
    try:
        with member.source.open("rb") as file:
            status = os.fstat(file.fileno())
            info.size, info.mtime = status.st_size, int(status.st_mtime)
            info.mode = stat.S_IMODE(status.st_mode) & 0o777
            yield info.tobuf(tarfile.PAX_FORMAT)
            left = status.st_size
            while left:
                block = file.read(min(BLOCK_BYTES, left))
                if not block:
                    raise LocalFile(f"the file {member.source} became shorter during the upload")
                left -= len(block)
                yield block
    except OSError as error:
        raise LocalFile(f"the file {member.source} cannot be read: {error.strerror}") from None
    if rest := info.size % _TAR_RECORD:
        yield b"\0" * (_TAR_RECORD - rest)


def multipart(spec: bytes, entries: Sequence[Member]) -> tuple[str, Iterator[bytes]]:
    """Returns the content type and the body of a submission with files: part `spec`, then part `files`.

    Source: jobd/api/upload.py; RFC 7578.
    """
    boundary = f"jobctl-{os.urandom(16).hex()}"

    def body() -> Iterator[bytes]:
        yield _part(boundary, 'name="spec"', "application/json") + spec + b"\r\n"
        yield _part(boundary, 'name="files"; filename="files.tar"', "application/x-tar")
        yield from tar_stream(entries)
        yield f"\r\n--{boundary}--\r\n".encode()

    return f"multipart/form-data; boundary={boundary}", body()


def _part(boundary: str, name: str, content_type: str) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {name}\r\nContent-Type: {content_type}\r\n\r\n".encode()
