"""Hostile archives of a few kilobytes, which every reader of archives must survive. Pure; nothing is unpacked.

`REFUSED`: an unpacking reader must fail. `HARMLESS`: unusual; may be unpacked, but only below the folder. Both are tars by name; `ZIPS_REFUSED` are zips.
"""

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

Fill = Callable[[tarfile.TarFile], object]


def add(archive: tarfile.TarFile, name: str, content: bytes = b"", **fields: Any) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    archive.addfile(member, io.BytesIO(content))


def link(archive: tarfile.TarFile, name: str, target: str) -> None:
    add(archive, name, type=tarfile.SYMTYPE, linkname=target)


def hard(archive: tarfile.TarFile, name: str, target: str) -> None:
    add(archive, name, type=tarfile.LNKTYPE, linkname=target)


def folder(archive: tarfile.TarFile, name: str) -> None:
    add(archive, name, type=tarfile.DIRTYPE, mode=0o755)


def tar(*fills: Fill, format: int = tarfile.GNU_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=format) as archive:
        for fill in fills:
            fill(archive)
    return made.getvalue()


def header(name: str, size: int = 0, type: bytes = tarfile.REGTYPE) -> bytes:
    """One header block with these values."""
    member = tarfile.TarInfo(name)
    member.size, member.type = size, type
    return member.tobuf(tarfile.GNU_FORMAT)


def extended(type: bytes, text: bytes, name: str = "f", content: bytes = b"x") -> bytes:
    """A member with an extended header of `text` before it."""
    blocks = text + b"\0" * (-len(text) % 512)
    body = content + b"\0" * (-len(content) % 512)
    return header("header", len(text), type) + blocks + header(name, len(content)) + body + b"\0" * 1024


def record(key: str, value: str) -> bytes:
    """One pax record."""
    body = f" {key}={value}\n".encode()
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def pax(key: str, value: str, **more: Any) -> bytes:
    return extended(tarfile.XHDTYPE, record(key, value), **more)


REFUSED: dict[str, bytes] = {
    "parent": tar(lambda a: add(a, "../evil", b"x")),
    "parent-inside": tar(lambda a: add(a, "d/../../evil", b"x")),
    "parent-folder": tar(lambda a: folder(a, "../evil")),
    "absolute": tar(lambda a: add(a, "/tmp/evil", b"x")),
    "absolute-twice": tar(lambda a: add(a, "//tmp/evil", b"x")),
    "absolute-link": tar(lambda a: link(a, "l", "/etc/passwd")),
    "link-out": tar(lambda a: link(a, "l", "../../etc/passwd")),
    "link-by-way-of-a-name": tar(lambda a: link(a, "l", "d/../../x")),
    "link-then-file": tar(lambda a: link(a, "l", "d"), lambda a: add(a, "l/evil", b"x")),
    "link-then-link": tar(lambda a: link(a, "a", "d"), lambda a: link(a, "a/b", "../../x")),
    "link-to-dot-then-up": tar(lambda a: link(a, "a", "."), lambda a: link(a, "b", "a/..")),
    "folder-link-file": tar(lambda a: folder(a, "d"), lambda a: link(a, "d", ".."), lambda a: add(a, "d/evil", b"x")),
    "hardlink": tar(lambda a: hard(a, "h", "/etc/passwd")),
    "hardlink-out": tar(lambda a: hard(a, "h", "../../etc/passwd")),
    "hardlink-to-link": tar(lambda a: link(a, "l", "d"), lambda a: hard(a, "h", "l")),
    "hardlink-through-link": tar(lambda a: link(a, "l", "d"), lambda a: hard(a, "h", "l/x")),
    "device": tar(lambda a: add(a, "dev", type=tarfile.CHRTYPE, devmajor=1, devminor=3)),
    "block-device": tar(lambda a: add(a, "dev", type=tarfile.BLKTYPE, devmajor=8, devminor=0)),
    "fifo": tar(lambda a: add(a, "fifo", type=tarfile.FIFOTYPE)),
    "unknown-kind": tar(lambda a: add(a, "x", type=b"Z")),
    "sparse-gnu": header("sparse", 0, tarfile.GNUTYPE_SPARSE) + b"\0" * 1024,
    "sparse-pax": pax("GNU.sparse.major", "1"),
    "exabyte": header("giant", 1 << 60) + b"x" * 1024,
    "pax-exabyte": pax("size", str(10**17)),
    "pax-size-no-number": pax("size", "9" * 400),
    "pax-negative-size": pax("size", "-512"),
    "pax-size-of-minus-one": pax("size", "-1", content=b"x" * 3000),
    "headers-upon-headers": pax("path", "../evil")[:1024] * 3000 + pax("path", "../evil"),
    "pax-parent": pax("path", "../evil"),
    "pax-absolute": pax("path", "/tmp/evil"),
    "pax-path-of-a-megabyte": pax("path", "n" * (1 << 20)),
    "pax-record-beyond-its-header": extended(tarfile.XHDTYPE, b"99999 path=evil\n"),
    "pax-record-of-no-length": extended(tarfile.XHDTYPE, b"0 path=evil\n"),
    "pax-header-of-8-gigabytes": header("header", 1 << 33, tarfile.XHDTYPE) + b"x" * 4096,
    "gnu-name-parent": extended(tarfile.GNUTYPE_LONGNAME, b"a/" * 80 + b"../" * 90 + b"evil\0"),
    "gnu-name-absolute": extended(tarfile.GNUTYPE_LONGNAME, b"/" + b"tmp/" * 40 + b"evil\0"),
    "gnu-name-of-8-gigabytes": header("header", 1 << 33, tarfile.GNUTYPE_LONGNAME) + b"x" * 4096,
    "name-longer-than-any": tar(lambda a: add(a, "n" * 5000, b"x")),
    "name-of-256-bytes": tar(lambda a: add(a, "d/" + "n" * 256, b"x")),
    "name-of-256-bytes-and-fewer-letters": tar(lambda a: add(a, "é" * 128, b"x")),
    "file-then-folder": tar(lambda a: add(a, "f", b"x"), lambda a: add(a, "f/g", b"x")),
    "folder-then-file": tar(lambda a: add(a, "f/g", b"x"), lambda a: add(a, "f", b"x")),
    "cut": tar(lambda a: add(a, "f", b"x" * 5000))[:3000],
    "cut-in-a-header": tar(lambda a: add(a, "f", b"x" * 5000))[:300],
    "noise": bytes(range(256)) * 8,
}  # fmt: skip

GZIPPED_REFUSED: dict[str, bytes] = {
    "truncated": gzip.compress(tar(lambda a: add(a, "f", b"x" * 5000)))[:-9],
    "trailing-noise": gzip.compress(tar(lambda a: add(a, "f", b"x"))) + b"noise" * 100,
    "second-part-cut": gzip.compress(tar(lambda a: add(a, "f", b"x"))) + gzip.compress(b"y" * 9000)[:-5],
    "split-over-two-parts": b"".join(
        gzip.compress(half) for half in (REFUSED["parent"][:700], REFUSED["parent"][700:])
    ),
}

HARMLESS: dict[str, bytes] = {
    "twice": tar(lambda a: add(a, "f", b"one"), lambda a: add(a, "f", b"two")),
    "link-then-file-of-its-name": tar(lambda a: link(a, "f", "g"), lambda a: add(a, "f", b"x")),
    "file-then-link-of-its-name": tar(lambda a: add(a, "f", b"x"), lambda a: link(a, "f", "g")),
    **{f"pax-time-{time}": pax("mtime", time) for time in ("nan", "inf", "-inf", "-5", "1e300", "never")},
    "links-in-a-circle": tar(lambda a: link(a, "a", "b"), lambda a: link(a, "b", "a")),
    "two-archives": tar(lambda a: add(a, "f", b"x")) + REFUSED["parent"],
    "a-folder-nobody-may-enter": tar(lambda a: add(a, "d", type=tarfile.DIRTYPE, mode=0), lambda a: add(a, "d/f", b"x")),
}  # fmt: skip
"""Of two joined archives, the second follows the first's end mark, and is not read."""


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return made.getvalue()


def of_mode(name: str, mode: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr = (mode | 0o777) << 16
    return made


def _claims(offset: int, value: int) -> bytes:
    """A zip whose end record has a false value at this offset."""
    data = bytearray(zipped(("f", b"x" * 100)))
    struct.pack_into("<I", data, len(data) - 22 + offset, value)
    return bytes(data)


ZIPS_REFUSED: dict[str, bytes] = {
    "zip-parent": zipped(("../evil", b"x")),
    "zip-parent-inside": zipped(("d/../../evil", b"x")),
    "zip-absolute": zipped(("/tmp/evil", b"x")),
    "zip-absolute-link": zipped((of_mode("l", stat.S_IFLNK), b"/etc/passwd")),
    "zip-link-out": zipped((of_mode("l", stat.S_IFLNK), b"../../etc/passwd")),
    "zip-link-then-file": zipped((of_mode("l", stat.S_IFLNK), b"d"), ("l/evil", b"x")),
    "zip-long-link": zipped((of_mode("l", stat.S_IFLNK), b"d/" * 4000)),
    "zip-device": zipped((of_mode("dev", stat.S_IFCHR), b"")),
    "zip-fifo": zipped((of_mode("fifo", stat.S_IFIFO), b"")),
    "zip-file-then-folder": zipped(("f", b"x"), ("f/g", b"x")),
    "zip-folder-then-file": zipped(("f/g", b"x"), ("f", b"x")),
    "zip-cut": zipped(("f", b"x" * 5000))[:-30],
    "zip-directory-elsewhere": _claims(16, 0x7FFFFFFF),
    "zip-directory-of-two-gigabytes": _claims(12, 0x7FFFFFFF),
}


def zip_bomb(size: int, claimed: int | None = None) -> bytes:
    """A zip whose one member unpacks to `size` zeros, a multiple of 16 MiB, and claims `claimed` if given."""
    packer = zlib.compressobj(9, wbits=-15)
    part, parts = b"\0" * (16 << 20), size >> 24
    first = packer.compress(part) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(part) + packer.flush(zlib.Z_FULL_FLUSH)
    data = first + again * (parts - 1) + packer.flush()
    # After a full flush no bytes refer back, so all parts share the same bytes.
    said = min(size if claimed is None else claimed, 0xFFFFFFFE)
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 33, 0, len(data), said, 1, 0) + b"z"
    entry = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 33, 0, len(data), said, 1, 0, 0, 0, 0, 0, 0
    )
    directory = entry + b"z"
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(directory), len(local) + len(data), 0)
    return local + data + directory + end
