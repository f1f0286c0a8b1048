"""unarchive: real archives in, hostile archives refused with nothing outside touched."""

import gzip
import io
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from jobd.wire.artifact import Unarchive
from sidecar.artifacts.base import Context
from sidecar.artifacts.unarchive import transfer
from sidecar.errors import ArtifactError, Missing

Fill = Callable[[tarfile.TarFile], object]


def tar(fill: Fill, mode: str = "w:gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        fill(archive)
    return out.getvalue()


def add(
    archive: tarfile.TarFile, name: str, content: bytes = b"", type: bytes = tarfile.REGTYPE, **facts: object
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode = type, len(content), 0o644
    for key, value in facts.items():
        setattr(info, key, value)
    archive.addfile(info, io.BytesIO(content))
    return info


def files_below(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): str(path.readlink()) if path.is_symlink() else path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def extract(context: Context, root: Path, data: bytes, **options: str) -> None:
    (root / "in").write_bytes(data)
    transfer(Unarchive(id="u", source="in", out="out", **options), context)


def a_project(archive: tarfile.TarFile) -> None:
    add(archive, "p-1", type=tarfile.DIRTYPE, mode=0o2555)
    add(archive, "p-1/run", b"#!", mode=0o4755, mtime=1_600_000_000, uid=4242)
    add(archive, "p-1/src/a", b"A")
    add(archive, "p-1/src/b/c", b"C")
    add(archive, "p-1/src/link", type=tarfile.SYMTYPE, linkname="../run")
    add(archive, "p-1/src/hard", type=tarfile.LNKTYPE, linkname="p-1/src/a")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_is_extracted_whole(context: Context, root: Path, mode: str) -> None:
    (root / "in").write_bytes(tar(a_project, mode))
    moved = transfer(Unarchive(id="u", source="in", out="out"), context)
    assert files_below(root / "out") == {
        "p-1/run": "#!",
        "p-1/src/a": "A",
        "p-1/src/b/c": "C",
        "p-1/src/hard": "A",
        "p-1/src/link": "../run",
    }
    facts = (root / "out/p-1/run").stat()
    assert stat.S_IMODE(facts.st_mode) == 0o755
    assert facts.st_mtime == 1_600_000_000
    assert facts.st_uid == root.stat().st_uid
    assert stat.S_IMODE((root / "out/p-1").stat().st_mode) == 0o755
    assert moved.size_bytes == 4


def test_subdir_selects_a_folder_below_the_single_root(context: Context, root: Path) -> None:
    extract(
        context,
        root,
        tar(lambda a: [add(a, "p/src/x/y", b"Y"), add(a, "p/src/z", b"Z"), add(a, "p/src2/n", b"")]),
        subdir="src",
    )
    assert files_below(root / "out") == {"x/y": "Y", "z": "Z"}


def test_subdir_without_a_single_root(context: Context, root: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("README", "r")
        archive.writestr("src/deep/x", "X")
    extract(context, root, data.getvalue(), subdir="src/deep/")
    assert files_below(root / "out") == {"x": "X"}


def test_a_subdir_that_is_missing_or_a_file_is_an_error(context: Context, root: Path) -> None:
    for subdir in ("none", "run"):
        with pytest.raises(ArtifactError, match="no folder"):
            extract(context, root, tar(a_project), subdir=subdir)


def test_a_hard_link_out_of_the_subdir_is_an_error(context: Context, root: Path) -> None:
    def fill(archive: tarfile.TarFile) -> None:
        add(archive, "p/x", b"x")
        add(archive, "p/src/h", type=tarfile.LNKTYPE, linkname="p/x")

    with pytest.raises(ArtifactError, match="names no file that was extracted"):
        extract(context, root, tar(fill), subdir="src")


def test_a_zip_is_extracted_and_existing_files_are_replaced(context: Context, root: Path) -> None:
    (root / "out").mkdir()
    (root / "out/a").write_text("old")
    (root / "out/kept").write_text("kept")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", "new")
        archive.writestr("d/", "")
    extract(context, root, data.getvalue())
    assert files_below(root / "out") == {"a": "new", "kept": "kept"}
    assert (root / "out/d").is_dir()


def test_empty_archives_make_an_empty_folder(context: Context, root: Path) -> None:
    data = io.BytesIO()
    zipfile.ZipFile(data, "w").close()
    for archive in (data.getvalue(), tar(lambda a: None)):
        extract(context, root, archive)
    assert list((root / "out").iterdir()) == []


HOSTILE: dict[str, Fill] = {
    "parent": lambda a: add(a, "../evil", b"x"),
    "parent inside": lambda a: add(a, "d/../../evil", b"x"),
    "absolute": lambda a: add(a, "/tmp/evil", b"x"),
    "absolute link": lambda a: add(a, "l", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "link out": lambda a: add(a, "l", type=tarfile.SYMTYPE, linkname="../secret"),
    "link by way of a name": lambda a: add(a, "l", type=tarfile.SYMTYPE, linkname="d/../../secret"),
    "link then file through it": lambda a: (
        [add(a, "l", type=tarfile.SYMTYPE, linkname="d"), add(a, "l/x", b"x")]
    ),
    "links that add up": lambda a: (
        [add(a, "a", type=tarfile.SYMTYPE, linkname="."), add(a, "b", type=tarfile.SYMTYPE, linkname="a/..")]
    ),
    "link below a link": lambda a: (
        [
            add(a, "a", type=tarfile.SYMTYPE, linkname="d"),
            add(a, "a/b/c", type=tarfile.SYMTYPE, linkname="../../x"),
        ]
    ),
    "hard link out": lambda a: add(a, "h", type=tarfile.LNKTYPE, linkname="../secret"),
    "hard link absolute": lambda a: add(a, "h", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
    "hard link to a link": lambda a: (
        [add(a, "l", type=tarfile.SYMTYPE, linkname="d"), add(a, "h", type=tarfile.LNKTYPE, linkname="l")]
    ),
    "hard link to what was there": lambda a: add(a, "h", type=tarfile.LNKTYPE, linkname="before"),
    "device": lambda a: add(a, "dev", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    "fifo": lambda a: add(a, "fifo", type=tarfile.FIFOTYPE),
    "file at the root": lambda a: add(a, "./", b"x"),
    "file then folder": lambda a: [add(a, "f", b"x"), add(a, "f/g", b"x")],
    "folder then file": lambda a: [add(a, "f/g", b"x"), add(a, "f", b"x")],
    "long name": lambda a: add(a, "n" * 300, b"x"),
}


@pytest.mark.parametrize("fill", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("look_first_bytes", [0, 1 << 20], ids=["read once", "looked through"])
def test_a_hostile_tar_is_refused_and_touches_nothing_outside(
    make_context: Callable[..., Context], root: Path, fill: Fill, mode: str, look_first_bytes: int
) -> None:
    context = make_context(unarchive_check_first_bytes=look_first_bytes)
    (root / "out").mkdir()
    (root / "out/before").write_text("before")
    with pytest.raises(ArtifactError, match=r"^in: "):
        extract(context, root, tar(fill, mode))
    assert sorted(p.name for p in root.iterdir()) == ["in", "out"]
    assert (root.parent / "secret").read_text() == "secret"
    assert (root.parent / "secret").stat().st_nlink == 1
    assert sorted(p.name for p in root.parent.iterdir()) == ["secret", "work"]
    assert not list(root.rglob(".sidecar-*"))


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "l/x"])
def test_a_hostile_zip_is_refused(context: Context, root: Path, name: str) -> None:
    link = zipfile.ZipInfo("l")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(link, "..")
        archive.writestr(name, "x")
    with pytest.raises(ArtifactError):
        extract(context, root, data.getvalue())
    assert sorted(p.name for p in root.parent.iterdir()) == ["secret", "work"]
    assert not (root / "x").exists()


def test_an_existing_link_is_not_followed(context: Context, root: Path) -> None:
    (root / "out").mkdir()
    (root / "out/d").symlink_to("../..")
    with pytest.raises(ArtifactError):
        extract(context, root, tar(lambda a: add(a, "d/evil", b"x")))
    (root / "out/d").unlink()
    (root / "out").rmdir()
    (root / "out").symlink_to("..")
    with pytest.raises(ArtifactError):
        extract(context, root, tar(lambda a: add(a, "evil", b"x")))
    assert not (root.parent / "evil").exists()


@pytest.mark.parametrize("keep", [3, 40, -1, -9])
def test_a_cut_gzip_is_refused(context: Context, root: Path, keep: int) -> None:
    whole = tar(lambda a: add(a, "f", os.urandom(4000)))
    with pytest.raises(ArtifactError, match=r"cut|not a tar"):
        extract(context, root, whole[:keep])


def test_a_damaged_gzip_is_refused(make_context: Callable[..., Context], root: Path) -> None:
    whole = bytearray(tar(lambda a: add(a, "f", os.urandom(4000))))
    whole[-6] ^= 0xFF  # in the checksum at the end
    with pytest.raises(ArtifactError, match="damaged"):
        extract(make_context(), root, bytes(whole))
    assert not (root / "out").exists()
    with pytest.raises(ArtifactError, match="damaged") as refused:
        extract(make_context(unarchive_check_first_bytes=0), root, bytes(whole))
    assert "files extracted before: 1" in str(refused.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a tar"),
        (b"hello", "not a tar"),
        (b"x" * 5000, "is not a tar archive"),
        (b"BZh91AY", "bzip2"),
        (b"\xfd7zXZ\0" * 100, "xz"),
        (gzip.compress(b"text"), "cut"),
    ],
    ids=["empty", "short", "long", "bzip2", "xz", "gzip of text"],
)
def test_a_file_that_is_no_archive_is_refused(context: Context, root: Path, data: bytes, words: str) -> None:
    with pytest.raises(ArtifactError, match=words):
        extract(context, root, data)


def test_a_bomb_is_stopped_by_its_ratio(make_context: Callable[..., Context], root: Path) -> None:
    bomb = tar(lambda a: add(a, "zeros", b"\0" * 3_000_000))
    for look_first_bytes, left in ((1 << 20, ["in"]), (0, ["in", "out"])):
        context = make_context(
            unarchive_free_bytes=100_000, unarchive_ratio=10, unarchive_check_first_bytes=look_first_bytes
        )
        with pytest.raises(ArtifactError, match="unpacks to more than 100000 bytes"):
            extract(context, root, bomb)
        assert sorted(p.name for p in root.rglob("*")) == left


def test_a_zip_bomb_and_too_many_members_are_stopped(
    make_context: Callable[..., Context], root: Path
) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"\0" * 3_000_000)
    with pytest.raises(ArtifactError, match="unpacks to more"):
        extract(make_context(unarchive_free_bytes=10, unarchive_ratio=10), root, data.getvalue())
    many = tar(lambda a: [add(a, f"f{n}") for n in range(5)])
    shutil.rmtree(root / "out")
    with pytest.raises(ArtifactError, match="more than 4 members"):
        extract(make_context(unarchive_members=4), root, many)
    assert not (root / "out").exists()
    with pytest.raises(ArtifactError, match="more than 4 members; files extracted before: 4"):
        extract(make_context(unarchive_members=4, unarchive_check_first_bytes=0), root, many)


def test_a_bomb_outside_the_subdir_is_stopped_too(make_context: Callable[..., Context], root: Path) -> None:
    context = make_context(unarchive_free_bytes=100_000, unarchive_ratio=10)
    bomb = tar(lambda a: [add(a, "p/src/x"), add(a, "p/zeros", b"\0" * 3_000_000)])
    with pytest.raises(ArtifactError, match="unpacks to more"):
        extract(context, root, bomb, subdir="src")


def test_the_last_of_two_members_with_one_name_remains(context: Context, root: Path) -> None:
    def fill(archive: tarfile.TarFile) -> None:
        add(archive, "x", type=tarfile.SYMTYPE, linkname="y")
        add(archive, "x", b"file")
        add(archive, "z", b"file")
        add(archive, "z", type=tarfile.SYMTYPE, linkname="x")

    extract(context, root, tar(fill))
    assert files_below(root / "out") == {"x": "file", "z": "x"}


def test_a_missing_archive(context: Context) -> None:
    with pytest.raises(Missing):
        transfer(Unarchive(id="u", source="none", out="out"), context)
