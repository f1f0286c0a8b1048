"""What a DEST means, and what is never replaced."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobctl.errors import LocalFile, Misuse
from jobctl.transfers import marks
from jobctl.transfers.destination import Place, Stream, check, check_folder, resolve, resolve_all
from jobctl.transfers.transfer_flags import Transfer


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "cwd"


@pytest.mark.parametrize(
    ("path", "destination", "target", "contents"),
    [
        ("a/x", "y", "y", False),
        ("a/x", "./y", "y", False),
        ("a/x", "y/", "y/x", False),
        ("a/x/", "y/.", "y/x", False),
        ("a/x", ".", "x", False),
        ("a/x", "./", "x", False),
        (".", "y", "y", False),
        (".", "y/", "y", True),
        (".", ".", ".", True),
        (r"a/\xff", "y/", os.fsdecode(b"y/\xff"), False),
    ],
)
def test_a_destination_is_the_copy_or_its_folder(
    here: Path, path: str, destination: str, target: str, contents: bool
) -> None:
    assert resolve(path, destination) == Place(here / target, contents)


def test_two_dots_name_the_parent(here: Path) -> None:
    place = resolve("x", "..")
    assert isinstance(place, Place)
    assert place.target.resolve() == here.parent / "x"


@pytest.mark.parametrize(
    ("destination", "descriptor"),
    [("-", 1), ("/dev/stdout", 1), ("/dev/stderr", 2), ("/dev/fd/7", 7), ("/proc/self/fd/12", 12), ("/dev/./fd//3", 3)],
)  # fmt: skip
def test_open_files_are_streams(here: Path, destination: str, descriptor: int) -> None:
    assert resolve("x", destination) == Stream(descriptor)
    if destination != "-":
        (here / "link").symlink_to(destination)
        (here / "again").symlink_to("link")
        assert resolve("x", "again") == Stream(descriptor)


def test_links_are_followed_to_their_end(here: Path) -> None:
    (here / "d").mkdir()
    (here / "d" / "f").write_text("x")
    (here / "one").symlink_to("d/f")
    (here / "two").symlink_to("one")
    (here / "up").symlink_to("d/..")
    assert resolve("x", "two") == Place(here / "d" / "f")
    assert resolve("x", "up") == Place(here)
    (here / "nowhere").symlink_to("not-there")
    with pytest.raises(LocalFile, match="does not exist"):
        resolve("x", "nowhere")
    (here / "circle").symlink_to("circle")
    with pytest.raises(LocalFile, match="circle"):
        resolve("x", "circle")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives links to other users")
def test_another_users_link_in_a_folder_for_all_is_not_followed(here: Path) -> None:
    shared = here / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (here / "mine").write_text("mine")
    (shared / "x").symlink_to(here / "mine")
    os.lchown(shared / "x", 12345, 12345)
    with pytest.raises(LocalFile, match="another user"):
        resolve("x", "shared/x")
    os.lchown(shared / "x", 0, 0)
    assert resolve("x", "shared/x") == Place(here / "mine")


@pytest.mark.parametrize("where", ["/", "/proc", "~", "~/..", ".", ".."])
def test_places_that_are_never_replaced(here: Path, where: str) -> None:
    (here.parent / "home").mkdir()
    with pytest.raises(LocalFile, match=r"does not replace .*: it is"):
        check_folder(Path(where).expanduser())


def marked(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    marks.mark(descriptor)
    os.close(descriptor)


steps = st.lists(
    st.sampled_from(["nothing", "add", "change", "copy", "link", "remove", "folder", "unmark"]), max_size=4
)


@settings(max_examples=30)
@given(steps)
def test_a_folder_is_replaced_only_where_all_in_it_is_marked(
    tmp_path_factory: pytest.TempPathFactory, done: list[str]
) -> None:
    place = tmp_path_factory.mktemp("marks") / "made"
    (place / "sub").mkdir(parents=True)
    for name in ("a", "sub/b"):
        (place / name).write_text("text")
        marked(place / name)
    marked(place / "sub")
    marked(place)
    if not marks.is_marked(place):
        pytest.skip("this file system has no extended attributes")
    valid = os.getxattr(place / "sub" / "b", marks.NAME)
    foreign = False
    for number, step in enumerate(done):
        path = place / "sub" / f"{step}-{number}"
        if step == "add":
            path.write_text("mine")
        elif step == "change" and (place / "a").exists():
            (place / "a").write_text(f"longer text {number}")
        elif step == "copy":
            path.write_text("text")
            os.setxattr(path, marks.NAME, valid)
        elif step == "link":
            path.symlink_to("b")
        elif step == "folder":
            path.mkdir()
        elif step == "unmark":
            marks_removed(place / "sub" / "b")
        elif step == "remove" and (place / "a").exists() and "change" not in done:
            (place / "a").unlink()
            continue
        else:
            continue
        foreign = True
    assert (marks.first_foreign_path(place) is None) == (not foreign)


def marks_removed(path: Path) -> None:
    try:
        os.removexattr(path, marks.NAME)
    except OSError:
        pass


def test_only_an_empty_folder_may_be_replaced(here: Path) -> None:
    (here / "d").mkdir()
    check(Place(here / "d"))
    (here / "d" / "x").write_text("x")
    with pytest.raises(LocalFile, match="its file x was not written by jobctl") as caught:
        check(Place(here / "d"))
    assert f"{here}/d/ to put the output inside" in str(caught.value.hint)
    check(Place(here / "d", contents=True))


def test_obstacles_at_the_destination_are_found_first(here: Path) -> None:
    (here / "file").write_text("x")
    with pytest.raises(LocalFile, match="file is not a folder"):
        check(Place(here / "file" / "x"))
    with pytest.raises(LocalFile, match="is not a folder"):
        check(Place(here / "file", contents=True))


@pytest.mark.parametrize(
    ("outputs", "fine"),
    [
        (["a=res", "b=other"], True),
        (["a=res", "b=res/b"], True),
        (["a=.", "b=."], True),
        (["a=res", "b=res"], False),
        (["a=res/x", "b=res"], False),
        (["a=.", "x/a=./"], False),
        (["a=-", "b=/dev/stdout"], False),
        (["a=/dev/stderr", "b=-"], True),
        (["a=link", "b=res"], False),
    ],
)
def test_destinations_that_replace_each_other_are_refused(here: Path, outputs: list[str], fine: bool) -> None:
    (here / "res").mkdir()
    (here / "link").symlink_to("res")
    carries: list[Any] = [Transfer(*output.split("=", 1)) for output in outputs]
    if fine:
        assert len(resolve_all(carries)) == len(outputs)
        return
    with pytest.raises(Misuse):
        resolve_all(carries)


def test_a_socket_is_refused_before(here: Path) -> None:
    os.mknod(here / "s", stat.S_IFSOCK)
    with pytest.raises(LocalFile, match="is a socket"):
        check(Place(here / "s"))
