"""Files into a container as tar: what is let through of an uploaded archive, whose it becomes, and users by name.

Pure but for reading the archive from disk. Owns the rules for members; `orchestrator.py` sends the bytes.

Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"; Docker Engine API, PutContainerArchive.
"""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from jobd.jobs.port.errors import RefusedByEngine
from jobd.wire.paths import link_flaw, path_flaw, path_parts

CHUNK_BYTES = 256 * 1024
_HEADER_BYTES = 1024 * 1024
_PATH_LIMIT = 4096
_NAME_LIMIT = 255
_LINKS_LIMIT = 100_000
_LINKS_BYTES = 8 << 20
"""The names of links are remembered, since nothing may go through one."""
_MEMBERS_LIMIT = 200_000
_LATEST_S = 1 << 33
_BLOCK = 512


class RefusedFiles(RefusedByEngine):
    """The archive of local files holds what may not go into a workspace, or is damaged."""

    code = "files-refused"


def workspace_tar(
    workspace: str, uid: int, gid: int, files: Path | None, now_s: float = 0, *, inside: bool = False
) -> Iterator[bytes]:
    """Yields a tar to be unpacked at `/`: the workspace folder itself, then the members of `files` below it. `inside`: to be
    unpacked in the workspace, whose folder is left as it is.

    Everything belongs to uid:gid; `now_s` (since 1970) dates the folder. Memory is bounded whatever the archive holds.
    Raises: RefusedFiles: at the first member that is no regular file, folder or link that stays inside.
    """
    root = workspace.strip("/")
    folder = _member(root + "/", tarfile.DIRTYPE, 0o755, uid, gid, now_s)
    # The folder's own entry is what hands a mount over: the engine ignores one named "./".
    if not inside:
        yield _header(folder)
    if files is not None:
        yield from _rewritten("" if inside else f"{root}/", uid, gid, files)
    yield b"\0" * (2 * _BLOCK)


class _Narrow(io.RawIOBase):
    """A file that refuses to give much at once: tarfile reads a whole extended header into memory."""

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
                archive.members.clear()  # type: ignore[attr-defined]  # it would remember every member
                members += 1
                if members > _MEMBERS_LIMIT:
                    raise RefusedFiles(f"the archive holds more than {_MEMBERS_LIMIT} files")
                name = _inside(member.name, links)
                if name == "":
                    continue
                yield from _copied(member, f"{root}{name}", name, uid, gid, raw, links)
            # tarfile takes a damaged header after the first for the end.
            raw.seek(archive.offset)
            if raw.read(_BLOCK).strip(b"\0"):
                raise RefusedFiles("the archive is damaged: no header where one should be")
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        # tarfile believes what an extended header says of numbers, and calls itself for each header before a member.
        raise RefusedFiles(f"the archive of files is not a plain tar: {error}") from error


def _copied(
    member: tarfile.TarInfo, path: str, name: str, uid: int, gid: int, raw: IO[bytes], links: "_Links"
) -> Iterator[bytes]:
    if member.isdir():
        yield _header(_member(path + "/", tarfile.DIRTYPE, member.mode & 0o777, uid, gid, member.mtime))
    elif member.issym():
        made = _member(path, tarfile.SYMTYPE, 0o777, uid, gid, member.mtime)
        made.linkname = _link_inside(name, member.linkname)
        links.add(name)
        yield _header(made)
    elif member.isreg() and not member.issparse() and member.size >= 0:
        made = _member(path, tarfile.REGTYPE, member.mode & 0o777, uid, gid, member.mtime)
        made.size = member.size
        links.discard(name)
        yield _header(made)
        yield from _content(raw, member.offset_data, member.size, name)
    else:
        raise RefusedFiles(f"{name!r} is no regular file, folder or symbolic link")


class _Links:
    """The paths of an archive's symbolic links, bounded in number and in bytes."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._size_bytes = 0

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def add(self, name: str) -> None:
        """Raises RefusedFiles: there are too many, or their names are too long together."""
        if name in self._names:
            return
        self._names.add(name)
        self._size_bytes += _size_of(name)
        if len(self._names) > _LINKS_LIMIT:
            raise RefusedFiles(f"the archive holds more than {_LINKS_LIMIT} symbolic links")
        if self._size_bytes > _LINKS_BYTES:
            raise RefusedFiles(f"the archive's symbolic links have names of more than {_LINKS_BYTES} bytes")

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
    """Returns a member's path below the workspace, plain; empty for the workspace itself."""
    flaw = path_flaw(name)
    if flaw in ("absolute", "nul") or len(name) > _PATH_LIMIT:
        raise RefusedFiles(f"{name[:200]!r} is no relative path of at most {_PATH_LIMIT} characters")
    if flaw == "parent":
        raise RefusedFiles(f"{name!r} leaves the workspace")
    parts = path_parts(name)
    if any(len(part.encode("utf-8", "surrogateescape")) > _NAME_LIMIT for part in parts):
        raise RefusedFiles(f"{name[:200]!r} has a name of more than {_NAME_LIMIT} bytes in it")
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
    made = tarfile.TarInfo(path)
    made.type, made.mode, made.uid, made.gid = kind, mode, uid, gid
    # A time is no reason to refuse a file; one that no file system holds makes the engine fail each time it is asked.
    made.mtime = int(mtime) if 0 <= mtime < _LATEST_S else 0
    return made


def _header(member: tarfile.TarInfo) -> bytes:
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def only_file(tar: bytes) -> bytes:
    """Returns the content of the one regular file in `tar`; empty where there is none."""
    try:
        with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
            for member in archive:
                if member.isreg() and (file := archive.extractfile(member)) is not None:
                    return file.read()
    except tarfile.TarError:
        pass  # a link or a device in its place: as good as absent
    return b""


def resolved_user(user: str, passwd: bytes, group: bytes) -> tuple[int, int] | None:
    """Returns uid and gid of `uid|name[:gid|group]` as the engine will resolve it; None where a name is unknown.

    A uid without a group takes the group that /etc/passwd gives it, else 0.

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
    """True where the ids cannot be told from `user` alone."""
    name, colon, group_name = user.partition(":")
    if name in ("", "0", "root") and not colon:
        return False
    return not (_is_id(name) and _is_id(group_name))


def _row(table: bytes, wanted: str, ids: int) -> list[str] | None:
    """Returns the first row named `wanted` or with that id; `ids`: how many numbers stand from the third field on."""
    for raw in table.decode("utf-8", "replace").splitlines():
        fields = raw.split(":")
        if len(fields) < 2 + ids or not all(_is_id(field) for field in fields[2 : 2 + ids]):
            continue
        if fields[0] == wanted or (_is_id(wanted) and int(fields[2]) == int(wanted)):
            return fields
    return None


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10
