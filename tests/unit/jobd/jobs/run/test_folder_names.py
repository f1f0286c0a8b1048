"""The names in a folder from the beginning of its tar."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.jobs.run.folder_names import MOST_NAMES, FolderNames

FORMATS = [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]


def tar_of(
    members: dict[str, int | None], *, root: str = "workspace", form: int = tarfile.PAX_FORMAT
) -> bytes:
    """Returns the tar of a folder, as an engine sends it. `members`: sizes of files; None: a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, size in {root: None, **{f"{root}/{name}": size for name, size in members.items()}}.items():
            member = tarfile.TarInfo(name)
            member.type = tarfile.DIRTYPE if size is None else tarfile.REGTYPE
            member.size = size or 0
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return buffer.getvalue()


def read(data: bytes, piece: int = 10_000) -> FolderNames:
    found = FolderNames()
    for at in range(0, len(data), piece):
        found.feed(data[at : at + piece])
    return found


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("piece", [7, 512, 100_000])
def test_the_names_of_the_folder_itself_are_read(form: int, piece: int) -> None:
    found = read(tar_of({"a.txt": 3, "sub": None, "sub/deep": 2000, "b": 0}, form=form), piece)
    assert list(found.names) == ["a.txt", "sub/", "b"]
    assert (found.is_folder, found.is_complete, found.is_over) == (True, True, True)


@pytest.mark.parametrize("form", FORMATS[:2])
def test_long_and_foreign_names_are_whole(form: int) -> None:
    long, latin = "n" * 180, "d\udce9.txt"
    found = read(tar_of({long: 5, "ü.csv": 1, latin: 2, "end": 1}, form=form))
    assert list(found.names) == [long, "ü.csv", r"d\xe9.txt", "end"]


def test_a_part_of_a_tar_is_not_complete() -> None:
    found = read(tar_of({"a": 3, "big": 5000, "z": 1})[:4096])
    assert list(found.names) == ["a", "big"]
    assert (found.is_folder, found.is_complete) == (True, False)


def test_a_file_is_no_folder() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("workspace"))
    assert not read(buffer.getvalue()).is_folder


def test_the_number_of_names_is_bounded() -> None:
    found = read(tar_of({f"{number:05}": 0 for number in range(MOST_NAMES + 50)}))
    assert len(found.names) == MOST_NAMES
    assert (found.is_over, found.is_complete) == (True, False)


@given(st.binary(max_size=3000))
def test_any_bytes_can_be_read(data: bytes) -> None:
    assert isinstance(read(data).names, dict)


@given(st.binary(min_size=1, max_size=1500))
def test_any_extended_header_can_be_read(content: bytes) -> None:
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, len(content)
    head = member.tobuf(tarfile.USTAR_FORMAT)
    read(head + content + bytes(-len(content) % 512) + tar_of({"a": 1}))
