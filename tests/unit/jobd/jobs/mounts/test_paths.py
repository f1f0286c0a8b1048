"""A path is resolved as the kernel does it for a user: links, `..`, and the right to search every folder."""

import contextlib
import os
from pathlib import Path

import pytest

from jobd.jobs.mounts.paths import PathRefused, ids_of, resolve
from jobd.jobs.mounts.rights import Identity

OTHER = Identity(65534, frozenset({65534}))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder that every user can reach."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and len(folder.parts) > 2:
            folder.chmod(0o755)
    return tmp_path


def test_links_and_dots_are_resolved(tree: Path) -> None:
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "up").symlink_to("../c")
    (tree / "c").mkdir()
    (tree / "c" / "file").touch()
    (tree / "whole").symlink_to(tree / "a" / "b")
    for text in ("a/up/file", "a/b/../up/./file", "whole/../up/file", "a//b/../../c/file"):
        found = resolve(f"{tree}/{text}", OTHER)
        assert found.path == str(tree / "c" / "file")
        assert found.ids[-1] == ids_of(str(tree / "c" / "file"))[-1]
        assert found.path == os.path.realpath(f"{tree}/{text}")


def test_dots_above_the_root_stay_there() -> None:
    assert resolve("/../..", None).path == "/"


def test_a_folder_that_may_not_be_searched_hides_what_is_in_it(tree: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a folder of another user needs root")
    (tree / "closed" / "in").mkdir(parents=True)
    (tree / "closed").chmod(0o700)
    (tree / "link").symlink_to("closed/in")
    for name in ("closed/in", "closed/none", "link", "closed/.."):
        with pytest.raises(PathRefused, match="you may not search the folder"):
            resolve(f"{tree}/{name}", OTHER)
    assert resolve(f"{tree}/closed", OTHER).path == f"{tree}/closed"
    assert resolve(f"{tree}/closed/in", Identity(0, frozenset())).path == f"{tree}/closed/in"


def test_a_folder_that_systemd_hides_is_told_as_such(tree: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a folder of root needs root")
    (tree / "hidden").mkdir(mode=0)
    with pytest.raises(PathRefused, match=r"nobody may search .*/hidden'.* ProtectHome=read-only"):
        resolve(f"{tree}/hidden/data", OTHER)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none", "there is no 'none' in '.*'; make it first"),
        ("file/x", "is no folder"),
        ("loop", "too many links"),
    ],
)
def test_a_path_that_leads_nowhere(tree: Path, name: str, words: str) -> None:
    (tree / "file").touch()
    (tree / "loop").symlink_to("loop")
    with pytest.raises(PathRefused, match=words):
        resolve(f"{tree}/{name}", OTHER)


def test_no_descriptor_stays_open(tree: Path) -> None:
    (tree / "a").mkdir()
    (tree / "link").symlink_to(tree / "a")
    before = sorted(Path("/proc/self/fd").iterdir())
    resolve(f"{tree}/link/../a", OTHER)
    for name in ("none", "a/none"):
        with pytest.raises(PathRefused):
            resolve(f"{tree}/{name}", OTHER)
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_a_path_without_an_object_has_no_ids() -> None:
    assert ids_of("/no/such/path") == ()


@pytest.mark.parametrize("path", ["/proc/self/root", "/proc/self/fd/0", "/proc/self/exe", "/proc/1/cwd"])
def test_a_link_of_the_kernel_is_refused_or_read_as_text(path: str) -> None:
    with pytest.raises(PathRefused, match="no job gets a path below /proc"):
        resolve(path, None, ("/proc",))
    with contextlib.suppress(PathRefused):
        assert resolve(path, None).path


def test_no_path_leads_into_a_closed_folder(tree: Path) -> None:
    (tree / "closed" / "in").mkdir(parents=True)
    (tree / "link").symlink_to("closed/in")
    for name in ("closed/in", "link", "closed/..", "closed/none"):
        with pytest.raises(PathRefused, match="no job gets a path below"):
            resolve(f"{tree}/{name}", None, (f"{tree}/closed",))
    assert resolve(f"{tree}/closed", None, (f"{tree}/closed",)).path == f"{tree}/closed"
