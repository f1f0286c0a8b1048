"""job: a copy of an earlier job's files, confined to both workspaces, with holes, links and permissions as they are."""

import errno
import os
import socket
import stat
from pathlib import Path

import msgspec
import pytest

from jobd.wire.artifact import JobFiles
from sidecar.artifacts import job
from sidecar.artifacts.base import Caps, Context
from sidecar.artifacts.job import transfer
from sidecar.errors import ArtifactError, Missing


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The workspace of the earlier job `a`."""
    folder = tmp_path / "jobs" / "a"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def here(context: Context, earlier: Path) -> Context:
    return msgspec.structs.replace(context, jobs_folder=str(earlier.parent))


def files(source: str, out: str = "data") -> JobFiles:
    return JobFiles(id="in", job="a", source=source, out=out)


def below(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def test_a_folder_comes_with_all_below_it(here: Context, earlier: Path, root: Path) -> None:
    (earlier / "results/sub/empty").mkdir(parents=True)
    (earlier / "results/b").write_text("B")
    (earlier / "results/sub/a").write_text("AA")
    moved = transfer(files("results"), here)
    assert below(root / "data") == {"b": "B", "sub/a": "AA"}
    assert (root / "data/sub/empty").is_dir()
    assert moved.size_bytes == 3


@pytest.mark.parametrize(
    ("out", "place"), [("data", "data"), ("data/", "data/f"), (".", "f"), ("x/y", "x/y"), ("x/y/", "x/y/f")]
)
def test_a_file_gets_the_name_or_goes_into_the_folder(
    here: Context, earlier: Path, root: Path, out: str, place: str
) -> None:
    (earlier / "deep").mkdir()
    (earlier / "deep/f").write_text("F")
    transfer(files("deep/f", out), here)
    assert below(root) == {place: "F"}


@pytest.mark.parametrize("source", [".", "./"])
def test_the_whole_workspace_comes_without_its_mark(
    here: Context, earlier: Path, root: Path, source: str
) -> None:
    (earlier / ".ready").write_text("")
    (earlier / "f").write_text("F")
    transfer(files(source, "."), here)
    assert below(root) == {"f": "F"}


def test_permissions_and_times_stay_and_no_set_uid_bit(here: Context, earlier: Path, root: Path) -> None:
    (earlier / "d/locked").mkdir(parents=True)
    (earlier / "d/program").write_text("#!")
    (earlier / "d/program").chmod(0o4751)
    (earlier / "d/locked").chmod(0o500)
    os.utime(earlier / "d/program", ns=(5, 1_234_567_890_123_456_789))
    transfer(files("d"), here)
    copied = (root / "data/program").stat()
    assert (stat.S_IMODE(copied.st_mode), copied.st_mtime_ns) == (0o751, 1_234_567_890_123_456_789)
    assert stat.S_IMODE((root / "data/locked").stat().st_mode) == 0o700


def test_links_are_copied_as_links_wherever_they_lead(here: Context, earlier: Path, root: Path) -> None:
    (earlier / "d").mkdir()
    targets = {"out": "/etc/passwd", "up": "../../../etc/passwd", "loop": "loop", "in": "f"}
    for name, target in targets.items():
        (earlier / "d" / name).symlink_to(target)
    (earlier / "d/folder").symlink_to("/etc")
    transfer(files("d"), here)
    assert {name: str((root / "data" / name).readlink()) for name in targets} == targets
    assert (root / "data/folder").is_symlink()


@pytest.mark.parametrize("source", ["link", "link/passwd", "d/up/x", "file/x"])
def test_no_path_leads_through_a_link_or_a_file(
    here: Context, earlier: Path, root: Path, source: str
) -> None:
    (earlier / "d").mkdir()
    (earlier / "file").write_text("")
    (earlier / "link").symlink_to("/etc")
    (earlier / "d/up").symlink_to("../..")
    with pytest.raises(ArtifactError, match="job 'a'"):
        transfer(files(source), here)
    assert below(root) == {}


@pytest.mark.parametrize("source", ["../b", "/etc/passwd", "d/../../b/f"])
def test_a_path_out_of_the_workspace_is_refused(here: Context, earlier: Path, source: str) -> None:
    (earlier.parent / "b").mkdir()
    (earlier.parent / "b/f").write_text("another job's")
    with pytest.raises(ArtifactError, match=r"relative|inside"):
        transfer(files(source), here)


def test_a_link_in_the_way_is_replaced_and_not_written_through(
    here: Context, earlier: Path, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    (root / "data").mkdir()
    (root / "data/f").symlink_to(outside)
    (earlier / "d").mkdir()
    (earlier / "d/f").write_text("new")
    transfer(files("d"), here)
    assert (outside.read_text(), (root / "data/f").read_text()) == ("untouched", "new")


def test_special_files_fail_the_artifact_with_their_name(
    here: Context, earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (earlier / "d").mkdir()
    os.mkfifo(earlier / "d/pipe")
    with pytest.raises(ArtifactError, match="job 'a': d/pipe: is a FIFO"):
        transfer(files("d"), here)
    (earlier / "d/pipe").unlink()
    monkeypatch.chdir(earlier / "d")  # a socket's path may have 108 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        with pytest.raises(ArtifactError, match="d/s: is a socket"):
            transfer(files("d/s"), here)


def test_a_missing_path_is_named(here: Context) -> None:
    with pytest.raises(Missing, match="job 'a' has no 'results/x' in its workspace"):
        transfer(files("results/x"), here)


def test_a_workspace_that_is_not_mounted_is_an_error(here: Context) -> None:
    artifact = msgspec.structs.replace(files("x"), job="b")
    with pytest.raises(ArtifactError, match="the workspace of job 'b' is not there"):
        transfer(artifact, here)


def test_holes_stay_holes(here: Context, earlier: Path, root: Path) -> None:
    size = 1 << 34
    with (earlier / "sparse").open("wb") as file:
        file.seek(1 << 30)
        file.write(b"middle")
        file.truncate(size)
    moved = transfer(files("sparse", "sparse"), here)
    copied = root / "sparse"
    assert copied.stat().st_size == size
    assert copied.stat().st_blocks * 512 < 1 << 20
    with copied.open("rb") as file:
        file.seek((1 << 30) - 1)
        assert file.read(8) == b"\0middle\0"
    assert (moved.size_bytes or 0) < 1 << 20


def test_a_file_with_two_names_stays_one_file(here: Context, earlier: Path, root: Path) -> None:
    (earlier / "d/sub").mkdir(parents=True)
    (earlier / "d/one").write_text("1")
    os.link(earlier / "d/one", earlier / "d/sub/two")
    transfer(files("d"), here)
    assert (root / "data/one").stat().st_ino == (root / "data/sub/two").stat().st_ino


@pytest.mark.parametrize("in_kernel", [True, False])
def test_large_content_is_complete(
    here: Context, earlier: Path, root: Path, monkeypatch: pytest.MonkeyPatch, in_kernel: bool
) -> None:
    if not in_kernel:

        def refused(*_: object) -> int:
            raise OSError(errno.EXDEV, "other file system")

        monkeypatch.setattr(os, "copy_file_range", refused)
    content = os.urandom(job.BLOCK_BYTES + 4097)
    (earlier / "f").write_bytes(content)
    seen: list[int] = []
    context = msgspec.structs.replace(here, meter=lambda done, total: seen.append(done))
    assert transfer(files("f", "f"), context).size_bytes == len(content)
    assert (root / "f").read_bytes() == content
    assert seen[-1] == len(content)


def test_a_full_disk_is_said_and_leaves_no_partial_file(
    here: Context, earlier: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (earlier / "d").mkdir()
    (earlier / "d/f").write_text("F")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(ArtifactError, match="data/f: no space left on the disk that holds the workspace"):
        transfer(files("d"), here)
    assert list((root / "data").iterdir()) == []


def test_names_that_are_no_utf8_come_along(here: Context, earlier: Path, root: Path) -> None:
    name = os.fsencode(earlier) + b"/d/\xff\n"
    (earlier / "d").mkdir()
    with open(name, "wb") as file:  # noqa: PTH123 - a name in bytes
        file.write(b"x")
    transfer(files("d"), here)
    assert [os.fsencode(path.name) for path in (root / "data").iterdir()] == [b"\xff\n"]


def test_too_many_files_are_refused(here: Context, earlier: Path) -> None:
    for number in range(5):
        (earlier / f"d{number}").mkdir()
        (earlier / f"d{number}/f").write_text("")
    context = msgspec.structs.replace(here, caps=Caps(copy_members=9))
    with pytest.raises(ArtifactError, match="contains more than 9 files"):
        transfer(files(".", "all"), context)
