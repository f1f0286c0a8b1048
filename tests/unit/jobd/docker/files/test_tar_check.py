"""A complete tar passes in pieces of any size; a cut tar, or a tar with other data in it, does not."""

import io
import tarfile
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.docker.files.tar_check import DamagedTar, TarCheck

KINDS = [
    tarfile.REGTYPE,
    tarfile.DIRTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.FIFOTYPE,
    tarfile.CHRTYPE,
]
FORMATS: list[Literal[0, 1, 2]] = [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]


def packed(
    members: list[tuple[bytes, str, bytes]], format: int = tarfile.PAX_FORMAT
) -> tuple[bytes, list[int]]:
    """Returns a tar and the offsets of its members' ends; the content is all ones, so that it never looks like an end."""
    buffer = io.BytesIO()
    ends = [0]
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        for kind, name, content in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            member.linkname = "elsewhere" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            member.size = len(content) if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(content))
            ends.append(buffer.tell())
    return buffer.getvalue()[: ends[-1]] + bytes(1024), ends


def is_whole(data: bytes, sizes: list[int]) -> bool:
    check = TarCheck()
    at = 0
    try:
        for size in [*sizes, len(data)]:
            check.feed(data[at : at + size])
            at += size
        check.end()
    except DamagedTar:
        return False
    return True


MEMBERS = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.text("ab/é", min_size=1, max_size=20) | st.just("long/" * 30 + "name"),
        st.integers(0, 1500).map(lambda size: b"\xff" * size),
    ),
    max_size=4,
)
SIZES = st.lists(st.integers(1, 700), max_size=12)


@settings(max_examples=40, deadline=None)
@given(MEMBERS, st.sampled_from(FORMATS[:2]), SIZES)
def test_a_whole_tar_passes_in_any_pieces(
    members: list[tuple[bytes, str, bytes]], format: int, sizes: list[int]
) -> None:
    whole, _ = packed(members, format)
    assert is_whole(whole, sizes)
    assert is_whole(whole + bytes(10240 - len(whole) % 10240), sizes)


@settings(max_examples=60, deadline=None)
@given(MEMBERS, SIZES, st.data())
def test_a_tar_that_is_cut_anywhere_does_not_pass(
    members: list[tuple[bytes, str, bytes]], sizes: list[int], data: st.DataObject
) -> None:
    whole, ends = packed(members)
    at = data.draw(st.integers(0, len(whole) - 1) | st.sampled_from(ends) | st.just(len(whole) - 512))
    assert not is_whole(whole[:at], sizes)


@pytest.mark.parametrize("format", FORMATS)
def test_sizes_beyond_eight_gibibytes_are_understood(format: Literal[0, 1, 2]) -> None:
    member = tarfile.TarInfo("large")
    member.size = 9 << 30 if format != tarfile.USTAR_FORMAT else (8 << 30) - 512
    check = TarCheck()
    check.feed(member.tobuf(format))
    block = b"\xff" * (64 << 20)
    # One block more than the member has is an invalid header; one fewer leaves the member incomplete.
    for _ in range(member.size // len(block)):
        check.feed(block)
    left = member.size % len(block)
    check.feed(b"\xff" * max(0, left - 512))
    if left:
        with pytest.raises(DamagedTar, match="within"):
            check.end()
        check.feed(b"\xff" * 512)
    with pytest.raises(DamagedTar, match="no end marker"):
        check.end()
    check.feed(bytes(1024))
    check.end()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no end marker"),
        (bytes(512), "no end marker"),
        (bytes(1023), "within|no end marker"),
        (b"\xff" * 512, "invalid header"),
        (b"x" * 512, "invalid header"),
        (bytes(512) + packed([(tarfile.REGTYPE, "a", b"")])[0], "after its end"),
        (bytes(1024) + b"\1" * 512, "after its end"),
    ],
)
def test_data_that_is_no_tar_is_refused(data: bytes, why: str) -> None:
    def checked() -> None:
        check = TarCheck()
        check.feed(data)
        check.end()

    with pytest.raises(DamagedTar, match=why):
        checked()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=1600), SIZES)
def test_any_bytes_are_a_tar_or_damaged(data: bytes, sizes: list[int]) -> None:
    is_whole(data, sizes)


def test_an_endless_extended_header_is_not_kept() -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 2 << 20
    with pytest.raises(DamagedTar, match="1 MiB"):
        TarCheck().feed(header.tobuf(tarfile.USTAR_FORMAT))
