"""Taking a tar apart that a job made, whatever is in it: only files and folders, only beneath the destination."""

import io
import os
import tarfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobctl.errors import LocalFile, OutputMissing
from jobctl.transfers import extract as extracting
from jobctl.transfers.destination import Place, resolve
from jobctl.transfers.extract import Extracted, room_bytes
from tests.support.hostile_archives import HARMLESS, REFUSED


def extract(stream: Any, path: str, destination: str, max_bytes: int | None = None) -> Extracted:
    place = resolve(path, destination)
    assert isinstance(place, Place)
    return extracting.extract(stream, path, place, max_bytes)


def tar(*members: Any) -> Any:
    """Members are (name, content) or (name, type, linkname)."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, *rest in members:
            info = tarfile.TarInfo(name)
            if isinstance(rest[0], bytes) and len(rest[0]) != 1:
                info.size, info.mode = len(rest[0]), 0o755
                archive.addfile(info, io.BytesIO(rest[0]))
            else:
                info.type, info.linkname = rest[0], rest[1] if len(rest) > 1 else ""
                archive.addfile(info)
    made.seek(0)
    return made


@pytest.fixture
def place(tmp_path: Any) -> Any:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_text("keep")
    (tmp_path / "d").mkdir()
    return tmp_path


def unharmed(place: Any) -> Any:
    return [p.name for p in (place / "outside").iterdir()] == ["precious"] and (
        place / "outside" / "precious"
    ).read_text() == "keep"


def test_a_file_gets_the_destinations_name_or_goes_inside(place: Any) -> None:
    extract(tar(("x", b"one")), "a/x", str(place / "y"))
    extract(tar(("x", b"two")), "a/x", f"{place}/d/.")
    extract(tar(("x", b"three")), "a/x", f"{place}/new/")
    assert (place / "y").read_bytes() == b"one"
    assert (place / "d" / "x").read_bytes() == b"two"
    assert (place / "new" / "x").read_bytes() == b"three"


def test_a_folder_becomes_the_destination_or_goes_inside(place: Any) -> None:
    folder = [("f", tarfile.DIRTYPE), ("f/a", b"AAA"), ("f/s/b", b"BBB"), ("f/empty", tarfile.DIRTYPE)]
    for _ in range(2):
        made = extract(tar(*folder), "f", str(place / "g"))
        (place / "g").chmod(0o750)
        assert (made.files, made.size_bytes) == (2, 6)
        assert (place / "g" / "s" / "b").read_bytes() == b"BBB"
        assert (place / "g" / "empty").is_dir()
        extract(tar(*folder), "f/", f"{place}/d/")
        assert sorted(p.name for p in (place / "d" / "f").iterdir()) == ["a", "empty", "s"]
    extract(tar(*folder), "f", str(place / "g"))
    assert (place / "g").stat().st_mode & 0o777 == 0o750
    extract(tar(("workspace", tarfile.DIRTYPE), ("workspace/q", b"qqq")), ".", f"{place}/d/")
    assert (place / "d" / "q").read_bytes() == b"qqq"
    assert sorted(p.name for p in (place / "d").iterdir()) == ["f", "q"]


def test_files_are_the_callers_with_plain_permissions(place: Any) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        info = tarfile.TarInfo("x")
        info.mode, info.uid, info.gid, info.size = 0o6777, 12345, 12345, 1
        archive.addfile(info, io.BytesIO(b"x"))
    made.seek(0)
    extract(made, "x", str(place / "x"))
    status = (place / "x").stat()
    assert status.st_mode & 0o7000 == 0
    assert status.st_mode & 0o100
    assert status.st_uid != 12345


@pytest.mark.parametrize(
    "name", ["f/../../outside/evil", "/etc/evil", "../evil", "f/..", "f//x", "f/./x", "f/" + "a/" * 300 + "b"]
)
def test_names_that_lead_outside_are_refused(place: Any, name: Any) -> None:
    with pytest.raises(LocalFile, match="leads outside"):
        extract(tar(("f", tarfile.DIRTYPE), (name, b"evil")), "f", str(place / "d" / "g"))
    assert unharmed(place)


def test_links_in_the_archive_are_left_out_and_nothing_goes_through_them(place: Any) -> None:
    hostile = tar(
        ("f", tarfile.DIRTYPE),
        ("f/out", tarfile.SYMTYPE, str(place / "outside")),
        ("f/hard", tarfile.LNKTYPE, "/etc/passwd"),
        ("f/fifo", tarfile.FIFOTYPE),
        ("f/dev", tarfile.CHRTYPE),
        ("f/out/precious", b"evil"),
    )
    made = extract(hostile, "f", str(place / "g"))
    assert made.skipped == ["f/out", "f/hard", "f/fifo", "f/dev"]
    assert (place / "g" / "out" / "precious").read_bytes() == b"evil"
    assert not (place / "g" / "out").is_symlink()
    assert unharmed(place)


def test_a_link_is_not_followed_for_a_file_name_of_the_job(place: Any) -> None:
    whole = tar(("w", tarfile.DIRTYPE), ("w/out/precious", b"evil")).getvalue()
    (place / "d" / "out").symlink_to(place / "outside")
    with pytest.raises(LocalFile, match="is a device, FIFO, socket or link"):
        extract(io.BytesIO(whole), ".", f"{place}/d/")
    (place / "d" / "out").unlink()
    (place / "d" / "file").symlink_to(place / "outside" / "precious")
    with pytest.raises(LocalFile, match="is not a file"):
        extract(tar(("w", tarfile.DIRTYPE), ("w/file", b"mine")), ".", f"{place}/d/")
    assert [p.name for p in (place / "d").iterdir()] == ["file"]
    assert unharmed(place)


def test_a_single_link_or_device_and_an_empty_archive_are_refused(place: Any) -> None:
    with pytest.raises(LocalFile, match="is a link or a special file"):
        extract(tar(("x", tarfile.SYMTYPE, "/etc/passwd")), "x", str(place / "x"))
    with pytest.raises(OutputMissing):
        extract(tar(), "x", str(place / "x"))
    assert not (place / "x").exists()


def test_a_cut_archive_is_refused_and_leaves_nothing(place: Any) -> None:
    whole = tar(("f", tarfile.DIRTYPE), ("f/x", b"x" * 100_000)).getvalue()
    with pytest.raises(LocalFile):
        extract(io.BytesIO(whole[:50_000]), "f", str(place / "g"))
    assert sorted(p.name for p in place.iterdir()) == ["d", "outside"]


@settings(max_examples=25)
@given(st.binary(max_size=2000))
def test_bytes_that_are_no_tar_are_refused(tmp_path_factory: Any, content: Any) -> None:
    place = tmp_path_factory.mktemp("t", numbered=True)
    with pytest.raises((LocalFile, OutputMissing)):
        extract(io.BytesIO(content), "x", str(place / "x"))
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("name", [*REFUSED, *HARMLESS])
def test_a_hostile_archive_puts_nothing_outside(place: Any, name: str) -> None:
    data = {**REFUSED, **HARMLESS}[name]
    try:
        extract(io.BytesIO(data), "f", f"{place}/d/")
    except (LocalFile, OutputMissing):
        pass
    assert unharmed(place)
    assert sorted(path.name for path in place.iterdir()) == ["d", "outside"]
    assert {path.name for path in (place / "d").iterdir()} <= {"f"}
    assert all(path.is_dir() or path.is_file() for path in place.rglob("*"))
    assert not any(path.is_symlink() for path in place.rglob("*"))


segments = st.lists(st.sampled_from(["a", "b", "..", ".", "", "c\n", "é"]), min_size=1, max_size=5)


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(segments, st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE])), max_size=6
    )
)
def test_generated_names_create_nothing_outside(tmp_path_factory: Any, members: Any) -> None:
    place = tmp_path_factory.mktemp("t", numbered=True)
    (place / "dest").mkdir()
    entries = [
        ("/".join(["f", *parts]), b"evil")
        if kind == tarfile.REGTYPE
        else ("/".join(["f", *parts]), kind, "..")
        for parts, kind in members
    ]
    try:
        extract(tar(*entries), "f", f"{place}/dest/")
    except (LocalFile, OutputMissing):
        pass
    assert [p.name for p in place.iterdir()] == ["dest"]
    assert {p.name for p in (place / "dest").iterdir()} <= {"f"}
    assert not any(p.is_symlink() for p in place.rglob("*"))


class Zeros:
    """A tar of one file that is nothing but zeros, as the engine sends a sparse one; counts what was read of it."""

    def __init__(self, size: int) -> None:
        info = tarfile.TarInfo("f/sparse")
        info.size = size
        self._head = io.BytesIO(info.tobuf())
        self._left = size + 1024 + -size % 512
        self.given = 0

    def read(self, size: int = -1, /) -> bytes:
        found = self._head.read(size)
        zeros = min(size - len(found), self._left)
        self._left -= zeros
        self.given += len(found) + zeros
        return found + bytes(zeros)


TERABYTE = 1 << 40


@pytest.mark.parametrize("max_bytes", [None, 1 << 20])
def test_a_too_large_file_is_refused_before_it_is_written(place: Any, max_bytes: int | None) -> None:
    stream = Zeros(TERABYTE * 1000)
    with pytest.raises(LocalFile, match=r"'f/sparse' has 1000\.0 TiB, more than the") as caught:
        extract(stream, "f", str(place / "g"), max_bytes)
    assert ("--max-size" in caught.value.message) == (max_bytes is not None)
    assert "--max-size" in str(caught.value.hint)
    assert stream.given < 1 << 20
    assert not (place / "g").exists()


def test_the_bound_is_of_all_files_together(place: Any) -> None:
    folder = [("f", tarfile.DIRTYPE), ("f/a", b"a" * 60), ("f/b", b"b" * 40)]
    assert extract(tar(*folder), "f", str(place / "g"), 100).size_bytes == 100
    with pytest.raises(LocalFile, match="'f/b' has 40 B, more than the 39 B"):
        extract(tar(*folder), "f", str(place / "h"), 99)
    assert not (place / "h").exists()


def test_blocks_of_zeros_become_holes(place: Any) -> None:
    size = (1 << 26) + 5
    extract(Zeros(size), "f", str(place / "g"), 1 << 30)
    made = (place / "g" / "sparse").stat()
    assert made.st_size == size
    assert made.st_blocks * 512 < 1 << 20


@settings(max_examples=25)
@given(st.lists(st.sampled_from([b"", b"x", bytes(1 << 18), bytes(1 << 17), b"y" * 5000]), max_size=5))
def test_files_with_holes_have_the_same_content(tmp_path_factory: Any, parts: list[bytes]) -> None:
    place = tmp_path_factory.mktemp("holes")
    content = b"ab" + b"".join(parts)
    extract(tar(("x", content)), "x", str(place / "x"))
    assert (place / "x").read_bytes() == content


@pytest.mark.parametrize("size", [-1, -TERABYTE])
def test_a_negative_size_is_refused(place: Any, size: int) -> None:
    info = tarfile.TarInfo("x")
    info.size = size
    with pytest.raises(LocalFile):
        extract(io.BytesIO(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)), "x", str(place / "x"))
    assert not (place / "x").exists()


def test_the_size_limit_is_the_free_space_less_a_twentieth(place: Any) -> None:
    disk = os.statvfs(place)
    free = disk.f_bavail * disk.f_frsize
    assert 0 < room_bytes(place / "not" / "yet" / "there") < free + (1 << 30)
