"""The names in a folder, read from the beginning of the folder's tar. Pure.

Holds one header at a time and a bounded number of names, never a file.
"""

import os
import tarfile

from jobd.wire.files.filenames import escape

MOST_NAMES = 1000
LONGEST_EXTENDED_BYTES = 64 * 1024
_BLOCK = tarfile.BLOCKSIZE
_NAMES = (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME)
_NO_MEMBERS = (tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK)


class FolderNames:
    """Reads a tar that arrives in pieces. `names`: readable, those of folders end with `/`; `is_complete`: True at the tar's end;
    `is_over`: no more pieces are needed.
    """

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.is_folder = False
        self.is_complete = False
        self.is_over = False
        self._buffer = bytearray()
        self._skip = 0
        self._override: dict[str, str] = {}

    def feed(self, data: bytes) -> None:
        """Reads the next piece."""
        self._buffer += data
        while not self.is_over and self._step():
            pass

    def _step(self) -> bool:
        """Reads one member; False if its bytes have not all arrived."""
        if self._skip:
            skipped = min(self._skip, len(self._buffer))
            del self._buffer[:skipped]
            self._skip -= skipped
            if self._skip:
                return False
        if len(self._buffer) < _BLOCK:
            return False
        head = bytes(self._buffer[:_BLOCK])
        try:
            member = tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            self.is_over, self.is_complete = True, not any(head)
            return False
        if member.type in _NAMES:
            return self._read_extended(member)
        size = int(self._override.get("size") or member.size)
        del self._buffer[:_BLOCK]
        if member.type not in _NO_MEMBERS:
            self._add(self._override.get("path") or member.name, member.isdir())
            self._override = {}
        self._skip = _padded(size) if member.isreg() or member.type in _NO_MEMBERS else 0
        return True

    def _read_extended(self, member: tarfile.TarInfo) -> bool:
        if member.size > LONGEST_EXTENDED_BYTES:
            self.is_over = True
            return False
        end = _BLOCK + _padded(member.size)
        if len(self._buffer) < end:
            return False
        content = bytes(self._buffer[_BLOCK : _BLOCK + member.size])
        del self._buffer[:end]
        if member.type == tarfile.GNUTYPE_LONGNAME:
            self._override["path"] = os.fsdecode(content.rstrip(b"\0"))
        else:
            self._override |= _records(content)
        return True

    def _add(self, path: str, is_folder: bool) -> None:
        _, *below = path.strip("/").split("/")
        if not below:
            self.is_folder = is_folder
            self.is_over = not is_folder
        elif len(self.names) >= MOST_NAMES:
            self.is_over = True
        else:
            name = escape(os.fsencode(below[0]))
            self.names[name + ("/" if is_folder or len(below) > 1 else "")] = None


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _records(content: bytes) -> dict[str, str]:
    """Returns the path and the size of an extended header.

    Source: POSIX.1-2017, pax, "pax Extended Header".
    """
    found: dict[str, str] = {}
    while content:
        digits, _, _ = content.partition(b" ")
        if not digits.isdigit() or len(digits) > 9 or not 0 < int(digits) <= len(content):
            break
        record = content[len(digits) + 1 : int(digits) - 1]
        content = content[int(digits) :]
        name, _, value = record.partition(b"=")
        if name == b"path" or (name == b"size" and value.isdigit() and len(value) < 20):
            found[name.decode()] = os.fsdecode(value)
    return found
