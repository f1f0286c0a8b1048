"""Reads zip: stored and deflated members and links; refuses encrypted ones.

Uses the standard library's reader, with bounds on the size of the archive's directory.

Source: PKWARE APPNOTE 6.3, 4.4.2 (made on Unix) and 4.4.15 (external file attributes).
"""

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from sidecar.archive_readers.member import BadArchive, Content, Member, Members
from sidecar.entry import shown

_CHUNK_BYTES = 256 * 1024
_LARGEST_DIRECTORY = 32 << 20
_ENTRY = b"PK\x01\x02"
_LONGEST_LINK = 4096
_ENCRYPTED = 0x1
_UTF8 = 0x800
_UNIX, _MACOS = 3, 19


class _Guarded:
    """The archive's file. Refuses reads that only a wrong directory causes, and a directory with too many entries: the standard
    library's reader needs half a kilobyte for each entry before it returns the first.
    """

    def __init__(self, file: IO[bytes], most_members: int) -> None:
        self._file, self._most_members = file, most_members

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            left = os.fstat(self._file.fileno()).st_size - self._file.tell()
            size = max(left, 0)
        if size > _LARGEST_DIRECTORY:
            raise BadArchive("the archive's directory is too large")
        data = self._file.read(size)
        if data.startswith(_ENTRY) and data.count(_ENTRY) > self._most_members:
            raise BadArchive(f"the archive has more than {self._most_members} members")
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == os.SEEK_SET and offset < 0:
            raise BadArchive("the archive is damaged: its directory is outside of the file")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


def read_zip(file: IO[bytes], most_members: int) -> Members:
    """Yields the members of a zip archive.

    Raises:
        BadArchive: the archive is damaged, cut or encrypted, has more than `most_members`, or uses an unsupported feature.
    """
    with _translated(), zipfile.ZipFile(_Guarded(file, most_members)) as archive:
        for info in archive.infolist():
            member = _member(archive, info)
            yield member, _content(archive, info)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        zlib.error,
        EOFError,
        struct.error,
    ) as error:
        raise BadArchive(
            f"the archive is damaged or cut, or is not a zip archive ({type(error).__name__})"
        ) from error
    except (ValueError, RuntimeError) as error:
        raise BadArchive(f"the archive cannot be read ({type(error).__name__})") from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    name = _name(info)
    called = f"'{shown(name, 200)}'"
    if info.flag_bits & _ENCRYPTED:
        raise BadArchive(f"the archive's member {called} is encrypted, which is not supported")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadArchive(f"the archive's member {called} uses a compression that is not supported")
    mode = info.external_attr >> 16
    permissions = mode & 0o777
    if info.is_dir() or stat.S_ISDIR(mode):
        return Member(name=name, kind="directory", mode=permissions or 0o755)
    if stat.S_ISLNK(mode):
        if info.file_size > _LONGEST_LINK:
            raise BadArchive(f"the archive's link {called} has a target that is too long")
        target = b"".join(_content(archive, info))
        return Member(name=name, kind="symlink", link=target.decode(errors="surrogateescape"))
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise BadArchive(f"the archive's member {called} is a device, FIFO or socket, which is not supported")
    return Member(name=name, kind="file", size=info.file_size, mode=permissions or 0o644)


def _name(info: zipfile.ZipInfo) -> str:
    """Returns the member's name. Names from Unix without the UTF-8 flag are bytes.

    The standard library decodes them as code page 437, which is right only for DOS.
    """
    if info.flag_bits & _UTF8 or info.create_system not in (_UNIX, _MACOS):
        return info.filename
    return os.fsdecode(info.orig_filename.encode("cp437").partition(b"\0")[0])


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Content:
    """Yields the content, and verifies its length and checksum at the end."""
    with _translated(), archive.open(info) as packed:
        while chunk := packed.read(_CHUNK_BYTES):
            yield chunk
