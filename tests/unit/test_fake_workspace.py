"""The fake workspace gives out what went in, by the names that a real engine's tar has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes.workspace import below, owner_of, packed, unpacked

NAMES = st.text(alphabet="abc", min_size=1, max_size=4)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@given(files=st.dictionaries(PATHS, st.binary(max_size=40), max_size=5))
def test_what_was_packed_is_unpacked(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    tar = tmp_path_factory.getbasetemp() / "files.tar"
    tar.write_bytes(packed(files))
    assert unpacked(tar, "/w") == {f"/w/{name}": content for name, content in files.items()}


def test_without_a_tar_there_is_nothing() -> None:
    assert unpacked(None, "/w") == {}


@pytest.mark.parametrize(
    ("path", "names"),
    [("/w/a", {"a"}), ("/w/sub", {"sub/b", "sub/c/d"}), ("/w/sub/", {"sub/b", "sub/c/d"}), ("/w/su", set())],
)
def test_names_begin_with_what_was_asked_for(path: str, names: set[str]) -> None:
    assert set(below({"/w/a": b"1", "/w/sub/b": b"2", "/w/sub/c/d": b"3"}, path)) == names


@pytest.mark.parametrize(
    ("user", "owner"), [(None, (0, 0)), ("7", (7, 0)), ("7:8", (7, 8)), ("nobody", (0, 0))]
)
def test_numeric_users_own_what_is_theirs(user: str | None, owner: tuple[int, int]) -> None:
    assert owner_of(user) == owner
