"""Relative paths: what stays inside a folder, compared with what the file system makes of the same text."""

import os.path
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobd.wire.files.paths import LinkFlaw, PathFlaw, link_flaw, path_flaw, path_parts

PATHS = st.lists(st.sampled_from(["", ".", "..", "a", "...", "b c", "\0"]), max_size=8).map("/".join)
NAMES = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=4).map(tuple)


@given(PATHS)
@example("a/../..")
def test_a_path_without_a_flaw_stays_inside(path: str) -> None:
    if path_flaw(path) is None:
        names = path_parts(path)
        assert os.path.normpath("/".join(("/root", *names))) == os.path.normpath(f"/root/{path}")
        assert not {"", ".", ".."} & set(names)
        assert PurePosixPath("/root", *names).is_relative_to("/root")
        assert path_parts("/".join(names)) == names, "a path that is plain stays as it is"
    else:
        assert path.startswith("/") or "\0" in path or ".." in path.split("/")


@given(NAMES, PATHS)
def test_a_link_without_a_flaw_stays_inside(place: tuple[str, ...], target: str) -> None:
    if link_flaw(place, target) is None:
        led = os.path.normpath("/".join(("/root", *place[:-1], target)))
        assert led == "/root" or led.startswith("/root/")
        below = path_parts(target)
        assert ".." not in below[below.count("..") :], "nothing climbs out of what another link leads to"


@pytest.mark.parametrize(
    ("path", "flaw"),
    [("/", "absolute"), ("/a", "absolute"), ("a\0", "nul"), ("..", "parent"), ("a/../b", "parent")],
)
def test_each_flaw_of_a_path_has_its_name(path: str, flaw: PathFlaw) -> None:
    assert path_flaw(path) == flaw


@pytest.mark.parametrize(
    ("target", "flaw"),
    [("", "unusable"), ("a\0", "unusable"), ("/a", "absolute"), ("../..", "out"), ("../a/..", "parent")],
)
def test_each_flaw_of_a_link_has_its_name(target: str, flaw: LinkFlaw) -> None:
    assert link_flaw(("folder", "link"), target) == flaw


def test_names_with_dots_in_them_are_names() -> None:
    assert path_flaw("..a/...") is None
    assert path_parts("./..a//.../") == ("..a", "...")
    assert path_parts(".") == path_parts("") == ()
