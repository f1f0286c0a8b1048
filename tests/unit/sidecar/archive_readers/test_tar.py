"""Reading tar: what the standard library and GNU tar write is read; what is cut or hostile is refused, in bounded memory."""

import io
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.archive_readers.member import BadArchive, Member
from sidecar.archive_readers.tar import BLOCK, read_tar

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=120
).filter(lambda name: name.strip(".") != "")


def packed(format: int, fill: Callable[[tarfile.TarFile], object]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as tar:
        fill(tar)
    return out.getvalue()


def add(
    tar: tarfile.TarFile, name: str, type: bytes = tarfile.REGTYPE, content: bytes = b"", **facts: object
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size = type, len(content)
    for key, value in facts.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(content))
    return info


def unpacked(data: bytes) -> list[tuple[Member, bytes]]:
    return [(member, b"".join(content)) for member, content in read_tar(io.BytesIO(data).read)]


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
@given(
    st.dictionaries(
        st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=1200), max_size=4
    )
)
@settings(max_examples=20)
def test_what_the_standard_library_writes_is_read(format: int, files: dict[str, bytes]) -> None:
    def fill(tar: tarfile.TarFile) -> None:
        for name, content in files.items():
            add(tar, name, content=content, mode=0o640, mtime=1_700_000_000)

    try:
        data = packed(format, fill)
    except ValueError:  # a name that ustar cannot hold
        return
    read = unpacked(data)
    assert {m.name: c for m, c in read} == files
    assert all((m.kind, m.mode, m.mtime_s) == ("file", 0o640, 1_700_000_000) for m, _ in read)


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_directories_and_links(format: int) -> None:
    long = "x" * 90 + "/" + "y" * 90 if format != tarfile.USTAR_FORMAT else "short"

    def fill(tar: tarfile.TarFile) -> None:
        add(tar, "d/", tarfile.DIRTYPE, mode=0o755)
        add(tar, "d/f", content=b"12")
        add(tar, "d/s", tarfile.SYMTYPE, linkname=long)
        add(tar, "d/h", tarfile.LNKTYPE, linkname="d/f")

    assert [(m.name.rstrip("/"), m.kind, m.link) for m, _ in unpacked(packed(format, fill))] == [
        ("d", "directory", ""),
        ("d/f", "file", ""),
        ("d/s", "symlink", long),
        ("d/h", "hardlink", "d/f"),
    ]


def test_unread_content_is_skipped() -> None:
    data = packed(tarfile.PAX_FORMAT, lambda tar: [add(tar, f"f{n}", content=b"x" * 700) for n in range(3)])
    assert [m.name for m, _ in read_tar(io.BytesIO(data).read)] == ["f0", "f1", "f2"]


def test_a_stream_that_gives_little_at_a_time_is_read() -> None:
    data = packed(tarfile.GNU_FORMAT, lambda tar: add(tar, "n" * 150, content=b"abc" * 500))
    stream = io.BytesIO(data)
    read = [(m.name, b"".join(c)) for m, c in read_tar(lambda size: stream.read(min(size, 7)))]
    assert read == [("n" * 150, b"abc" * 500)]


@given(st.data())
@settings(max_examples=60)
def test_an_archive_that_is_cut_is_refused(data: st.DataObject) -> None:
    whole = packed(tarfile.PAX_FORMAT, lambda tar: [add(tar, "é" * 70, content=b"x" * 600), add(tar, "b")])
    end = whole.rindex(b"ustar") // BLOCK * BLOCK + BLOCK  # after the last header
    cut = data.draw(st.integers(0, end))
    with pytest.raises(BadArchive):
        unpacked(whole[:cut])


@pytest.mark.parametrize(
    ("type", "words"),
    [
        (tarfile.CHRTYPE, "character device"),
        (tarfile.BLKTYPE, "block device"),
        (tarfile.FIFOTYPE, "FIFO"),
        (tarfile.GNUTYPE_SPARSE, "sparse"),
        (b"Z", "unknown type"),
    ],
)
def test_special_files_are_refused(type: bytes, words: str) -> None:
    with pytest.raises(BadArchive, match=words):
        unpacked(packed(tarfile.GNU_FORMAT, lambda tar: add(tar, "x", type)))


def header(name: bytes, type: bytes, size_field: bytes) -> bytes:
    block = bytearray(BLOCK)
    block[0 : len(name)] = name
    block[100:108] = b"0000644\0"
    block[124:136] = size_field
    block[136:148] = b"00000000000\0"
    block[156:157] = type
    block[257:265] = b"ustar\x0000"
    block[148:156] = b"%06o\0 " % (sum(block) + 8 * 32)
    return bytes(block)


@pytest.mark.parametrize("type", [b"x", b"g", b"L", b"K"])
def test_a_header_that_claims_gigabytes_is_refused(type: bytes) -> None:
    asked: list[int] = []
    stream = io.BytesIO(header(b"x", type, b"77777777777\0"))

    def read(size: int) -> bytes:
        asked.append(size)
        return stream.read(size)

    with pytest.raises(BadArchive, match="too long"):
        list(read_tar(read))
    assert max(asked) <= BLOCK


@pytest.mark.parametrize(
    "size",
    [
        b"\xff" * 12,
        b"\xc0" + b"\0" * 11,
        b"\x80" + b"\xff" * 11,
        b"-0000000001\0",
        b"9999999999 \0",
        b"0x00000001 \0",
    ],
    ids=repr,
)
def test_a_size_that_is_negative_huge_or_no_number_is_refused(size: bytes) -> None:
    with pytest.raises(BadArchive):
        unpacked(header(b"x", b"0", size) + b"\0" * 2048)


@pytest.mark.parametrize(
    "records",
    [
        b"5 a=b",
        b"99 path=x\n",
        b"0 path=x\n",
        b"7 size=-1\n",
        b"11 size=-1\n",
        b"nonsense",
        b"22 GNU.sparse.major=1\n",
    ],
    ids=repr,
)
def test_a_pax_header_that_cannot_be_read_is_refused(records: bytes) -> None:
    extended = header(b"p", b"x", b"%011o\0" % len(records)) + records.ljust(BLOCK, b"\0")
    with pytest.raises(BadArchive):
        unpacked(extended + header(b"f", b"0", b"00000000000\0") + b"\0" * 1024)


def test_a_wrong_checksum_is_refused() -> None:
    data = bytearray(packed(tarfile.USTAR_FORMAT, lambda tar: add(tar, "abc")))
    data[0] ^= 1
    with pytest.raises(BadArchive, match="checksum"):
        unpacked(bytes(data))


@given(st.binary(max_size=3000), st.integers(0, 1500))
@settings(max_examples=60)
def test_damaged_archives_give_members_or_a_known_error(noise: bytes, at: int) -> None:
    data = bytearray(packed(tarfile.PAX_FORMAT, lambda tar: add(tar, "é" * 70, content=b"x" * 600)))
    data[at : at + len(noise)] = noise
    try:
        unpacked(bytes(data))
    except BadArchive:
        pass
