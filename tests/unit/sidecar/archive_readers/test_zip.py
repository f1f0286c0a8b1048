"""Reading zip: what the standard library writes is read; what is cut, encrypted or hostile is refused."""

import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.archive_readers.member import BadArchive, Member
from sidecar.archive_readers.zip import read_zip

MOST = 50


def packed(*members: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


TOO_MANY = packed(*((f"f{n}", b"") for n in range(MOST + 1)))


def info(name: str, mode: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    return made


@pytest.fixture
def unpacked(tmp_path: Path) -> object:
    def unpack(data: bytes) -> list[tuple[Member, bytes]]:
        (tmp_path / "a.zip").write_bytes(data)
        with (tmp_path / "a.zip").open("rb") as file:
            return [(member, b"".join(content)) for member, content in read_zip(file, MOST)]

    return unpack


def test_files_folders_and_links(unpacked) -> None:  # type: ignore[no-untyped-def]
    read = unpacked(
        packed(
            ("d/", b""),
            (info("d/run", stat.S_IFREG | 0o755), b"#!/bin/sh"),
            (info("d/link", stat.S_IFLNK | 0o777), b"run"),
            ("é", b"x" * 600_000),
        )
    )
    assert [(m.name, m.kind, m.mode, m.link) for m, _ in read] == [
        ("d/", "directory", 0o775, ""),
        ("d/run", "file", 0o755, ""),
        ("d/link", "symlink", 0o644, "run"),
        ("é", "file", 0o600, ""),
    ]
    assert read[1][1] == b"#!/bin/sh"
    assert len(read[3][1]) == 600_000


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(unpacked, compression: int) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadArchive, match="compression"):
        unpacked(packed(("x", b"x" * 100), compression=compression))


def test_devices_and_encrypted_members_are_refused(unpacked) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadArchive, match="device, FIFO or socket"):
        unpacked(packed((info("x", stat.S_IFIFO | 0o644), b"")))
    data = bytearray(packed(("x", b"abc")))
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(BadArchive, match="encrypted"):
        unpacked(bytes(data))


def test_a_wrong_checksum_is_refused(unpacked) -> None:  # type: ignore[no-untyped-def]
    data = packed(("x", b"abcdef"), compression=zipfile.ZIP_STORED)
    with pytest.raises(BadArchive, match="BadZipFile"):
        unpacked(data.replace(b"abcdef", b"abcdeg"))


def test_too_many_members_are_refused_before_one_is_made(unpacked, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    assert len(unpacked(packed(*((f"f{n}", b"") for n in range(MOST))))) == MOST
    monkeypatch.setattr(zipfile, "ZipInfo", None)  # nobody made of the directory's entries
    with pytest.raises(BadArchive, match=f"more than {MOST} members"):
        unpacked(TOO_MANY)


@given(st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_cut_archive_is_refused(unpacked, data: st.DataObject) -> None:  # type: ignore[no-untyped-def]
    whole = packed(("a", b"x" * 300), ("b/c", b"y"))
    with pytest.raises(BadArchive):
        unpacked(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(st.binary(min_size=1, max_size=12), st.integers(0, 400))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_ends_in_an_error_or_in_members(unpacked, noise: bytes, at: int) -> None:  # type: ignore[no-untyped-def]
    data = bytearray(packed((info("link", stat.S_IFLNK | 0o777), b"x"), ("b/c", b"y" * 300)))
    data[at : at + len(noise)] = noise
    try:
        unpacked(bytes(data))
    except BadArchive:
        pass
