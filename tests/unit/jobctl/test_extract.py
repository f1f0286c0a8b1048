"""Taking a tar apart that a job made, whatever is in it: only files and folders, only beneath the destination."""

import io
import tarfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobctl.errors import LocalFile, OutputMissing
from jobctl.extract import extract
from tests.support.hostile_archives import HARMLESS, REFUSED


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
    extract(tar(("x", b"two")), "a/x", str(place / "d"))
    extract(tar(("x", b"three")), "a/x", f"{place}/new/")
    assert (place / "y").read_bytes() == b"one"
    assert (place / "d" / "x").read_bytes() == b"two"
    assert (place / "new" / "x").read_bytes() == b"three"


def test_a_folder_becomes_the_destination_or_goes_inside_and_is_merged(place: Any) -> None:
    folder = [("f", tarfile.DIRTYPE), ("f/a", b"AAA"), ("f/s/b", b"BBB"), ("f/empty", tarfile.DIRTYPE)]
    made = extract(tar(*folder), "f", str(place / "g"))
    assert (made.files, made.size_bytes) == (2, 6)
    assert (place / "g" / "s" / "b").read_bytes() == b"BBB"
    assert (place / "g" / "empty").is_dir()
    (place / "d" / "f").mkdir()
    (place / "d" / "f" / "mine").write_text("mine")
    extract(tar(*folder), "f/", str(place / "d"))
    assert sorted(p.name for p in (place / "d" / "f").iterdir()) == ["a", "empty", "mine", "s"]
    extract(tar(("workspace", tarfile.DIRTYPE), ("workspace/q", b"qqq")), ".", str(place / "d"))
    assert (place / "d" / "q").read_bytes() == b"qqq"


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


def test_links_that_are_already_there_are_not_followed(place: Any) -> None:
    (place / "g").mkdir()
    (place / "g" / "out").symlink_to(place / "outside")
    (place / "g" / "file").symlink_to(place / "outside" / "precious")
    with pytest.raises(LocalFile, match="is there and is no folder"):
        extract(tar(("g", tarfile.DIRTYPE), ("g/out/precious", b"evil")), "g", str(place))
    extract(tar(("g", tarfile.DIRTYPE), ("g/file", b"mine")), "g", str(place))
    assert (place / "g" / "file").read_bytes() == b"mine"
    assert not (place / "g" / "file").is_symlink()
    assert unharmed(place)


def test_a_link_or_device_alone_and_an_empty_archive(place: Any) -> None:
    with pytest.raises(LocalFile, match="is a link or a special file"):
        extract(tar(("x", tarfile.SYMTYPE, "/etc/passwd")), "x", str(place / "x"))
    with pytest.raises(OutputMissing):
        extract(tar(), "x", str(place / "x"))
    assert not (place / "x").exists()


def test_a_cut_archive_is_refused_and_leaves_no_half_file(place: Any) -> None:
    whole = tar(("f", tarfile.DIRTYPE), ("f/x", b"x" * 100_000)).getvalue()
    with pytest.raises(LocalFile):
        extract(io.BytesIO(whole[:50_000]), "f", str(place / "g"))
    assert list((place / "g").iterdir()) == []


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
        extract(io.BytesIO(data), "f", str(place / "d"))
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
def test_whatever_the_names_nothing_appears_outside(tmp_path_factory: Any, members: Any) -> None:
    place = tmp_path_factory.mktemp("t", numbered=True)
    (place / "dest").mkdir()
    entries = [
        ("/".join(["f", *parts]), b"evil")
        if kind == tarfile.REGTYPE
        else ("/".join(["f", *parts]), kind, "..")
        for parts, kind in members
    ]
    try:
        extract(tar(*entries), "f", str(place / "dest"))
    except (LocalFile, OutputMissing):
        pass
    assert [p.name for p in place.iterdir()] == ["dest"]
    assert {p.name for p in (place / "dest").iterdir()} <= {"f"}
    assert not any(p.is_symlink() for p in place.rglob("*"))
