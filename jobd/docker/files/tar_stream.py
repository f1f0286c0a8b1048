"""Rewrites an uploaded archive as a tar for a container: allowed members, their owner, and users by name.

Pure except for reading the archive from disk. Owns the rules for members; `workspace.py` sends the bytes.

Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"; Docker Engine API, PutContainerArchive.
"""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from jobd.jobs.port.errors import RefusedByEngine
from jobd.wire.files.paths import link_flaw, path_flaw, path_parts

CHUNK_BYTES = 256 * 1024
_HEADER_BYTES = 1024 * 1024
_PATH_LIMIT = 4096
_NAME_LIMIT = 255
_LINKS_LIMIT = 100_000
_LINKS_BYTES = 8 << 20
"""The names of links are kept in memory, since no member's path may go through a link."""
_MEMBERS_LIMIT = 200_000
_LATEST_S = 1 << 33
_BLOCK = 512


class RefusedFiles(RefusedByEngine):
    """The archive of local files is damaged or holds a member that is not allowed in a workspace."""

    code = "files-refused"


def workspace_tar(
    workspace: str, uid: int, gid: int, files: Path | None, now_s: float = 0, *, inside: bool = False
) -> Iterator[bytes]:
    """Yields a tar to unpack at `/`: the workspace folder, then the members of `files` below it. `inside`: a tar to unpack in
    the workspace, without the folder itself.

    All members belong to uid:gid; `now_s` (since 1970) is the folder's time. Memory is bounded for any archive.
    Raises: RefusedFiles: at the first member that is not a regular file, a folder, or a link within the workspace.
    """
    root = workspace.strip("/")
    folder = _member(root + "/", tarfile.DIRTYPE, 0o755, uid, gid, now_s)
    # The folder's own entry changes the owner of the mounted volume: the engine ignores an entry named "./".
    if not inside:
        yield _header(folder)
    if files is not None:
        yield from _rewritten("" if inside else f"{root}/", uid, gid, files)
    yield b"\0" * (2 * _BLOCK)


class _Narrow(io.RawIOBase):
    """A file that refuses large reads: tarfile reads a whole extended header into memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _HEADER_BYTES:
            raise RefusedFiles("the archive holds a header of more than 1 MiB")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _rewritten(root: str, uid: int, gid: int, files: Path) -> Iterator[bytes]:
    links = _Links()
    members = 0
    try:
        with files.open("rb") as raw, tarfile.open(fileobj=_Narrow(raw), mode="r:") as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # tarfile keeps every member
                members += 1
                if members > _MEMBERS_LIMIT:
                    raise RefusedFiles(f"the archive holds more than {_MEMBERS_LIMIT} files")
                name = _inside(member.name, links)
                if name == "":
                    continue
                yield from _copied(member, f"{root}{name}", name, uid, gid, raw, links)
            # tarfile treats a damaged header after the first one as the archive's end.
            raw.seek(archive.offset)
            if raw.read(_BLOCK).strip(b"\0"):
                raise RefusedFiles("the archive is damaged: a member has an invalid header")
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        # tarfile does not check an extended header's numbers, and recurses for each header before a member.
        raise RefusedFiles(f"the archive of files is not a plain tar: {error}") from error


def _copied(
    member: tarfile.TarInfo, path: str, name: str, uid: int, gid: int, raw: IO[bytes], links: "_Links"
) -> Iterator[bytes]:
    if member.isdir():
        yield _header(_member(path + "/", tarfile.DIRTYPE, member.mode & 0o777, uid, gid, member.mtime))
    elif member.issym():
        header = _member(path, tarfile.SYMTYPE, 0o777, uid, gid, member.mtime)
        header.linkname = _link_inside(name, member.linkname)
        links.add(name)
        yield _header(header)
    elif member.isreg() and not member.issparse() and member.size >= 0:
        header = _member(path, tarfile.REGTYPE, member.mode & 0o777, uid, gid, member.mtime)
        header.size = member.size
        links.discard(name)
        yield _header(header)
        yield from _content(raw, member.offset_data, member.size, name)
    else:
        raise RefusedFiles(f"{name!r} is not a regular file, folder or symbolic link")


class _Links:
    """The paths of an archive's symbolic links, bounded in number and in bytes."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._size_bytes = 0

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def add(self, name: str) -> None:
        """Raises RefusedFiles: the number of links, or the total size of their names, is over the limit."""
        if name in self._names:
            return
        self._names.add(name)
        self._size_bytes += _size_of(name)
        if len(self._names) > _LINKS_LIMIT:
            raise RefusedFiles(f"the archive holds more than {_LINKS_LIMIT} symbolic links")
        if self._size_bytes > _LINKS_BYTES:
            raise RefusedFiles(f"the names of the archive's symbolic links exceed {_LINKS_BYTES} bytes")

    def discard(self, name: str) -> None:
        if name in self._names:
            self._names.discard(name)
            self._size_bytes -= _size_of(name)


def _size_of(name: str) -> int:
    return len(name.encode("utf-8", "surrogateescape"))


def _content(raw: IO[bytes], offset: int, size: int, name: str) -> Iterator[bytes]:
    raw.seek(offset)
    left = size
    while left:
        chunk = raw.read(min(left, CHUNK_BYTES))
        if not chunk:
            raise RefusedFiles(f"the archive is cut within {name!r}")
        left -= len(chunk)
        yield chunk
    if size % _BLOCK:
        yield b"\0" * (_BLOCK - size % _BLOCK)


def _inside(name: str, links: "_Links") -> str:
    """Returns a member's normalized path below the workspace; empty for the workspace itself."""
    flaw = path_flaw(name)
    if flaw in ("absolute", "nul") or len(name) > _PATH_LIMIT:
        raise RefusedFiles(f"{name[:200]!r} is not a relative path of at most {_PATH_LIMIT} characters")
    if flaw == "parent":
        raise RefusedFiles(f"{name!r} leaves the workspace")
    parts = path_parts(name)
    if any(len(part.encode("utf-8", "surrogateescape")) > _NAME_LIMIT for part in parts):
        raise RefusedFiles(f"{name[:200]!r} contains a name of more than {_NAME_LIMIT} bytes")
    for depth in range(1, len(parts)):
        if (parent := "/".join(parts[:depth])) in links:
            raise RefusedFiles(f"{name!r} goes through the symbolic link {parent!r}")
    return "/".join(parts)


def _link_inside(name: str, target: str) -> str:
    flaw = link_flaw(path_parts(name), target)
    if flaw in ("unusable", "absolute") or len(target) > _PATH_LIMIT:
        raise RefusedFiles(f"the symbolic link {name!r} is not relative")
    if flaw:
        raise RefusedFiles(f"the symbolic link {name!r} leaves the workspace")
    return target


def _member(path: str, kind: bytes, mode: int, uid: int, gid: int, mtime: float = 0) -> tarfile.TarInfo:
    header = tarfile.TarInfo(path)
    header.type, header.mode, header.uid, header.gid = kind, mode, uid, gid
    # The engine fails on a time that the file system cannot store: such a time becomes 0, and the file is accepted.
    header.mtime = int(mtime) if 0 <= mtime < _LATEST_S else 0
    return header


def _header(member: tarfile.TarInfo) -> bytes:
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def only_file(tar: bytes) -> bytes:
    """Returns the content of the first regular file in `tar`; empty if there is none."""
    try:
        with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
            for member in archive:
                if member.isreg() and (file := archive.extractfile(member)) is not None:
                    return file.read()
    except tarfile.TarError:
        pass  # a damaged tar counts as absent
    return b""


def resolved_user(user: str, passwd: bytes, group: bytes) -> tuple[int, int] | None:
    """Returns uid and gid of `uid|name[:gid|group]`, resolved as the engine does; None if a name is unknown.

    A uid without a group has its group from /etc/passwd, else 0.

    Source: docker docs, "Dockerfile reference", "USER".
    """
    name, _, group_name = user.partition(":")
    uid, gid = 0, 0
    if entry := _row(passwd, name, 2):
        uid, gid = int(entry[2]), int(entry[3])
    elif _is_id(name):
        uid = int(name)
    elif name not in ("", "root"):
        return None
    if entry := _row(group, group_name, 1) if group_name else None:
        gid = int(entry[2])
    elif _is_id(group_name):
        gid = int(group_name)
    elif group_name:
        return None
    return uid, gid


def needs_passwd(user: str) -> bool:
    """True if `user` alone does not determine the ids."""
    name, colon, group_name = user.partition(":")
    if name in ("", "0", "root") and not colon:
        return False
    return not (_is_id(name) and _is_id(group_name))


def _row(table: bytes, name_or_id: str, ids: int) -> list[str] | None:
    """Returns the first row with the name or id `name_or_id`; `ids`: the number of numeric fields from the third field on."""
    for raw in table.decode("utf-8", "replace").splitlines():
        fields = raw.split(":")
        if len(fields) < 2 + ids or not all(_is_id(field) for field in fields[2 : 2 + ids]):
            continue
        if fields[0] == name_or_id or (_is_id(name_or_id) and int(fields[2]) == int(name_or_id)):
            return fields
    return None


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10
