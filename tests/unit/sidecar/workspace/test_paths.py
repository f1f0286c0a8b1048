"""The workspace's opens: nothing outside, nothing through links, nothing that is not a regular file."""

import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.entry import READY_FILE, kind_of, parts_of
from sidecar.errors import ArtifactError, Missing
from sidecar.workspace.paths import Workspace


def read(workspace: Workspace, path: str) -> bytes:
    with workspace.open(path) as file:
        return file.read()


def write(workspace: Workspace, path: str, content: bytes = b"x") -> None:
    with workspace.replace(path) as file:
        file.write(content)


def test_a_file_appears_whole_with_its_parents_and_mode(workspace: Workspace, root: Path) -> None:
    with workspace.replace("a/b/c.txt", 0o640) as file:
        file.write(b"hello")
        assert not (root / "a/b/c.txt").exists()
    assert (root / "a/b/c.txt").read_bytes() == b"hello"
    assert stat.S_IMODE((root / "a/b/c.txt").stat().st_mode) == 0o640
    assert read(workspace, "./a//b/c.txt") == b"hello"
    assert [p.name for p in (root / "a/b").iterdir()] == ["c.txt"]


def test_a_failing_block_leaves_only_the_old_file(workspace: Workspace, root: Path) -> None:
    write(workspace, "f", b"old")

    def fail_half_way() -> None:
        with workspace.replace("f") as file:
            file.write(b"new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert (root / "f").read_bytes() == b"old"
    assert [p.name for p in root.iterdir()] == ["f"]


@pytest.mark.parametrize("path", ["../secret", "a/../../secret", "/etc/passwd", "a\0b", "x" * 5000])
def test_paths_that_leave_are_refused(workspace: Workspace, root: Path, path: str) -> None:
    for use in (read, write):
        with pytest.raises(ArtifactError):
            use(workspace, path)
    with pytest.raises(ArtifactError):
        workspace.entries(path, 10)
    assert (root.parent / "secret").read_text() == "secret"


@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "/proc/self/environ", "inner"])
def test_no_link_is_followed(workspace: Workspace, root: Path, target: str) -> None:
    (root / "inner").mkdir()
    (root / "inner/secret").write_text("inner")
    (root / "file").symlink_to(target)
    (root / "up").symlink_to("..")
    for path in ("file", "up/secret"):
        with pytest.raises(ArtifactError, match="symbolic link"):
            read(workspace, path)
    with pytest.raises(ArtifactError):
        workspace.entries("up", 10)
    with pytest.raises(ArtifactError):
        write(workspace, "up/new")
    with pytest.raises(ArtifactError):
        workspace.hardlink("hard", "up/secret")
    with pytest.raises(ArtifactError, match="symbolic link"):
        workspace.hardlink("hard", "file")
    assert not (root.parent / "new").exists()


def test_writing_onto_a_link_replaces_the_link(workspace: Workspace, root: Path) -> None:
    (root / "out").symlink_to("../secret")
    write(workspace, "out", b"mine")
    assert (root.parent / "secret").read_text() == "secret"
    assert not (root / "out").is_symlink()
    assert (root / "out").read_bytes() == b"mine"


def test_only_regular_files_are_read(
    workspace: Workspace, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(root / "fifo")
    (root / "folder").mkdir()
    monkeypatch.chdir(root)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    for path, words in (("fifo", "a FIFO"), ("folder", "a directory"), ("socket", "device or socket")):
        with pytest.raises(ArtifactError, match=words):
            read(workspace, path)


def test_missing_paths_have_their_own_error(workspace: Workspace) -> None:
    for path in ("none", "none/below"):
        with pytest.raises(Missing, match="does not exist"):
            read(workspace, path)
    with pytest.raises(Missing):
        workspace.entries("none", 10)


def test_a_file_and_a_folder_do_not_replace_each_other(workspace: Workspace, root: Path) -> None:
    (root / "file").write_text("x")
    (root / "folder/in").mkdir(parents=True)
    with pytest.raises(ArtifactError, match="not a directory"):
        write(workspace, "file/below")
    with pytest.raises(ArtifactError, match="is a directory"):
        write(workspace, "folder")
    with pytest.raises(ArtifactError, match="must name a path"):
        write(workspace, "./.")


def test_entries_are_sorted_and_links_are_links(workspace: Workspace, root: Path) -> None:
    for name in ("b", "a", READY_FILE):
        (root / name).write_text("")
    (root / "c").symlink_to("/")
    (root / "d").mkdir()
    (root / "d" / READY_FILE).write_text("")
    found = workspace.entries(".", 10)
    assert [(e.name, e.is_directory) for e in found] == [
        ("a", False),
        ("b", False),
        ("c", False),
        ("d", True),
    ]
    assert [e.name for e in workspace.entries("d", 10)] == [READY_FILE]
    with pytest.raises(ArtifactError, match="too many"):
        workspace.entries(".", 2)
    assert workspace.read_link("c") == "/"


def test_new_files_belong_to_the_worker(root: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    workspace = Workspace(str(root), 12345, 54321)
    workspace.take_over()
    write(workspace, "a/f")
    workspace.symlink("a/l", "f")
    workspace.hardlink("a/h", "a/f")
    workspace.close()
    for path in (root, root / "a", root / "a/f", root / "a/l", root / "a/h"):
        facts = path.lstat()
        assert (facts.st_uid, facts.st_gid) == (12345, 54321), path


def test_no_descriptor_is_left_open(workspace: Workspace, root: Path) -> None:
    (root / "link").symlink_to("/")

    def tries() -> None:
        write(workspace, "a/b/c")
        read(workspace, "a/b/c")
        workspace.symlink("s", "a")
        workspace.hardlink("h", "a/b/c")
        workspace.entries("a", 5)
        for path in ("link/x", "none", "a", "a/b/c/d"):
            with pytest.raises(ArtifactError):
                read(workspace, path)
            if path != "none":
                with pytest.raises(ArtifactError):
                    write(workspace, path)

    tries()
    before = len(list(Path("/proc/self/fd").iterdir()))
    tries()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@given(st.lists(st.sampled_from(["a", "b", "..", ".", "", "link", "up", "x\0"]), max_size=6).map("/".join))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_path_reaches_the_outside(workspace: Workspace, root: Path, path: str) -> None:
    if not (root / "up").is_symlink():
        (root / "up").symlink_to("..")
        (root / "link").symlink_to(str(root.parent))
    beside = sorted(p.name for p in root.parent.iterdir())
    try:
        write(workspace, path + "/f" if path else "f")
    except ArtifactError:
        pass
    assert sorted(p.name for p in root.parent.iterdir()) == beside


@given(st.text(max_size=60))
def test_parts_of_a_path_never_lead_up(path: str) -> None:
    try:
        parts = parts_of(path)
    except ArtifactError:
        return
    assert not {"", ".", ".."} & set(parts)
    assert not any("/" in part or "\0" in part for part in parts)


def test_each_kind_of_file_has_a_noun() -> None:
    assert kind_of(Path("/dev/null").stat().st_mode) == "a device"
    assert kind_of(Path("/").stat().st_mode) == "a directory"
