"""archive: complete, in order, itself left out; and back again by unarchive."""

import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobd.wire.artifact import Archive, Unarchive
from sidecar.artifacts.archive import transfer
from sidecar.artifacts.base import Context
from sidecar.artifacts.unarchive import transfer as unarchive
from sidecar.errors import ArtifactError, Missing


@pytest.fixture
def tree(root: Path) -> Path:
    (root / "out/sub/empty").mkdir(parents=True)
    (root / "out/b").write_text("B")
    (root / "out/sub/a").write_text("A")
    (root / "out/sub/a").chmod(0o750)
    (root / "out/link").symlink_to("/etc/passwd")
    (root / ".ready").write_text("")
    return root


def names(path: Path) -> list[str]:
    with tarfile.open(path) as archive:
        return archive.getnames()


def test_a_directory_stands_at_the_root_in_order_links_as_links(context: Context, tree: Path) -> None:
    moved = transfer(Archive(id="a", source="out", out="r/out.tgz"), context)
    with tarfile.open(tree / "r/out.tgz", "r:gz") as archive:
        members = {m.name: m for m in archive.getmembers()}
        assert list(members) == ["b", "link", "sub", "sub/a", "sub/empty"]
        assert members["link"].linkname == "/etc/passwd"
        assert (members["sub/a"].mode, members["sub/a"].uid, members["sub/a"].uname) == (0o750, 0, "")
        assert (archive.extractfile("sub/a") or io.BytesIO()).read() == b"A"
    assert moved.size_bytes == (tree / "r/out.tgz").stat().st_size


def test_equal_trees_give_equal_bytes(context: Context, tree: Path) -> None:
    for out in ("1.tgz", "2.tgz"):
        transfer(Archive(id="a", source="out", out=out), context)
    assert (tree / "1.tgz").read_bytes() == (tree / "2.tgz").read_bytes()


def test_the_workspace_is_archived_without_the_archive_and_the_mark(context: Context, tree: Path) -> None:
    for _ in range(2):
        transfer(Archive(id="a", source=".", out="all.tgz"), context)
        assert names(tree / "all.tgz") == [
            "out",
            "out/b",
            "out/link",
            "out/sub",
            "out/sub/a",
            "out/sub/empty",
        ]


def test_a_file_stands_under_its_own_name(context: Context, tree: Path) -> None:
    transfer(Archive(id="a", source="out/sub/a", out="x.tgz"), context)
    assert names(tree / "x.tgz") == ["a"]


def test_a_file_is_not_archived_over_itself(context: Context, tree: Path) -> None:
    with pytest.raises(ArtifactError, match="the same"):
        transfer(Archive(id="a", source="out/b", out="./out//b"), context)
    assert (tree / "out/b").read_text() == "B"


@pytest.mark.parametrize("source", ["fifo", "folder", "out/link"])
def test_a_special_file_fails_an_archive_and_leaves_no_file(
    context: Context, tree: Path, source: str
) -> None:
    (tree / "folder").mkdir()
    os.mkfifo(tree / "fifo")
    os.mkfifo(tree / "folder/fifo")
    with pytest.raises(ArtifactError, match=r"FIFO|symbolic link"):
        transfer(Archive(id="a", source=source, out="x.tgz"), context)
    assert not (tree / "x.tgz").exists()
    assert not list(tree.glob(".sidecar*"))


def test_a_missing_source_leaves_no_folder_for_the_result(context: Context, root: Path) -> None:
    with pytest.raises(Missing):
        transfer(Archive(id="a", source="none", out="r/x.tgz"), context)
    assert not (root / "r").exists()


def test_the_limits_are_enforced(make_context: Callable[..., Context], tree: Path) -> None:
    with pytest.raises(ArtifactError, match="more than 4 files"):
        transfer(Archive(id="a", source="out", out="x.tgz"), make_context(archive_members=4))
    with (tree / "out/giant").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ArtifactError, match="bytes"):
        transfer(Archive(id="a", source="out", out="x.tgz"), make_context())


@given(
    st.dictionaries(
        st.lists(
            st.binary(min_size=1, max_size=9).filter(lambda b: not set(b) & set(b"/\0") and b.strip(b".")),
            min_size=1,
            max_size=3,
        ).map(b"/".join),
        st.binary(max_size=300),
        max_size=5,
    ),
    st.integers(0, 1 << 30),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_uploaded_files_are_copied_back_unchanged(
    context: Context, root: Path, files: dict[bytes, bytes], run: int
) -> None:
    base = root / str(run)
    (base / "from").mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        full = base / "from" / os.fsdecode(path)
        try:
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_bytes(content)
        except OSError:  # a file where a folder is wanted, or the reverse
            continue
    transfer(Archive(id="a", source=f"{run}/from", out=f"{run}/x.tgz"), context)
    unarchive(Unarchive(id="u", source=f"{run}/x.tgz", out=f"{run}/to"), context)

    def facts(folder: Path) -> dict[Path, tuple[int, bytes]]:
        return {
            path.relative_to(folder): (
                stat.S_IMODE(path.stat().st_mode),
                path.read_bytes() if path.is_file() else b"",
            )
            for path in folder.rglob("*")
        }

    assert facts(base / "to") == facts(base / "from")
