import io
import posixpath
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.docker.files import tar_stream
from jobd.docker.files.tar_stream import RefusedFiles
from tests.support.hostile_archives import HARMLESS, REFUSED, pax


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, size
    made.uid, made.gid, made.uname, made.mode, made.mtime = 12, 34, "me", 0o4755, 1000
    return made


def archive(path: Path, *members: tarfile.TarInfo, content: bytes = b"") -> Path:
    file = path / "files.tar"
    with tarfile.open(file, "w") as tar:
        for one in members:
            one.size = len(content) if one.isreg() else 0
            tar.addfile(one, io.BytesIO(content) if one.isreg() else None)
    return file


def rewritten(file: Path | None, workspace: str = "/srv/space") -> list[tarfile.TarInfo]:
    with tarfile.open(
        fileobj=io.BytesIO(b"".join(tar_stream.workspace_tar(workspace, 1000, 1001, file, 5)))
    ) as tar:
        return tar.getmembers()


def test_without_files_the_tar_sets_the_folders_owner() -> None:
    (folder,) = rewritten(None)
    assert (folder.name, folder.isdir(), folder.mode, folder.uid, folder.gid, folder.mtime) == (
        "srv/space",
        True,
        0o755,
        1000,
        1001,
        5,
    )


def test_members_belong_to_the_worker_below_the_workspace(tmp_path: Path) -> None:
    file = archive(
        tmp_path,
        member("./d", tarfile.DIRTYPE),
        member("d/./f"),
        member("l", tarfile.SYMTYPE, "d/f"),
        content=b"hi",
    )
    _, folder, regular, link = rewritten(file)
    assert [one.name for one in (folder, regular, link)] == ["srv/space/d", "srv/space/d/f", "srv/space/l"]
    assert {(one.uid, one.gid, one.uname, one.mtime) for one in (folder, regular, link)} == {
        (1000, 1001, "", 1000)
    }
    assert regular.size == 2
    assert link.linkname == "d/f"


def test_set_uid_bits_are_dropped(tmp_path: Path) -> None:
    assert [one.mode for one in rewritten(archive(tmp_path, member("f")))[1:]] == [0o755]


@given(st.lists(st.binary(max_size=2000), max_size=4))
def test_contents_arrive_unchanged(contents: list[bytes]) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for number, content in enumerate(contents):
            one = tarfile.TarInfo(f"f{number}")
            one.size = len(content)
            tar.addfile(one, io.BytesIO(content))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "files.tar")
        file.write_bytes(raw.getvalue())
        out = b"".join(tar_stream.workspace_tar("/w", 0, 0, file))
    with tarfile.open(fileobj=io.BytesIO(out)) as tar:
        got = [tar.extractfile(one) for one in tar.getmembers() if one.isreg()]
        assert [one.read() for one in got if one is not None] == contents


@pytest.mark.parametrize(
    "bad",
    [
        member("../f"),
        member("a/../../f"),
        member("/etc/f"),
        member("hard", tarfile.LNKTYPE, "f"),
        member("dev", tarfile.CHRTYPE),
        member("block", tarfile.BLKTYPE),
        member("pipe", tarfile.FIFOTYPE),
        member("l", tarfile.SYMTYPE, "/etc/shadow"),
        member("l", tarfile.SYMTYPE, ".."),
        member("a/l", tarfile.SYMTYPE, "../../x"),
        member("l", tarfile.SYMTYPE, "a/../b"),
        member("l", tarfile.SYMTYPE, ""),
        member("n" * 5000),
    ],
    ids=lambda bad: f"{bad.name[:20]}-{bad.linkname[:20]}",
)
def test_what_may_not_be_in_a_workspace_is_refused(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    with pytest.raises(RefusedFiles):
        rewritten(archive(tmp_path, member("fine"), bad))


def test_a_member_through_a_link_is_refused(tmp_path: Path) -> None:
    file = archive(tmp_path, member("l", tarfile.SYMTYPE, "d"), member("l/f"))
    with pytest.raises(RefusedFiles, match="goes through"):
        rewritten(file)


def test_a_link_beside_its_target_is_fine(tmp_path: Path) -> None:
    assert len(rewritten(archive(tmp_path, member("a/b/l", tarfile.SYMTYPE, "../../f"), member("f")))) == 3


@pytest.mark.parametrize("kept", [700, 512 + 3000, 512 + 5000 + 512])
def test_a_cut_archive_is_refused(tmp_path: Path, kept: int) -> None:
    file = archive(tmp_path, member("one"), content=b"x" * 5000)
    file.write_bytes(
        file.read_bytes()[:kept] if kept < 5000 else file.read_bytes()[: 512 + 5120] + b"garbage" * 100
    )
    with pytest.raises(RefusedFiles):
        rewritten(file)


def test_what_is_no_tar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "files.tar").write_bytes(b"\x1f\x8b" + b"no tar" * 500)
    with pytest.raises(RefusedFiles, match="plain tar"):
        rewritten(tmp_path / "files.tar")


def test_a_huge_extended_header_is_not_read_into_memory(tmp_path: Path) -> None:
    bomb = tarfile.TarInfo("pax")
    bomb.type, bomb.size = tarfile.XHDTYPE, 512 * 1024 * 1024
    (tmp_path / "files.tar").write_bytes(bomb.tobuf() + b"\0" * 4096)
    with pytest.raises(RefusedFiles, match="header"):
        rewritten(tmp_path / "files.tar")


@pytest.mark.parametrize("name", HARMLESS)
def test_unusual_names_are_accepted_below_the_workspace(tmp_path: Path, name: str) -> None:
    (tmp_path / "files.tar").write_bytes(HARMLESS[name])
    members = rewritten(tmp_path / "files.tar")
    assert {one.name.partition("/")[0] for one in members} == {"srv"}
    assert all(0 <= one.mtime < 1 << 33 for one in members)


REFUSED_AS_UPLOADS = sorted({*REFUSED} - {"sparse-pax", "file-then-folder", "folder-then-file"})


@pytest.mark.parametrize("name", REFUSED_AS_UPLOADS)
def test_a_hostile_archive_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "files.tar").write_bytes(REFUSED[name])
    with pytest.raises(RefusedFiles):
        rewritten(tmp_path / "files.tar")


def test_a_size_below_zero_reads_nothing(tmp_path: Path) -> None:
    """`read(-1)` reads the whole file."""
    (tmp_path / "files.tar").write_bytes(pax("size", "-1", content=b"x" * (2 * tar_stream.CHUNK_BYTES)))
    sizes: list[int] = []
    with pytest.raises(RefusedFiles):
        sizes += map(len, tar_stream.workspace_tar("/w", 0, 0, tmp_path / "files.tar"))
    assert sum(sizes) < 4096


def test_members_are_bounded_in_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_stream, "_MEMBERS_LIMIT", 3)
    assert len(rewritten(archive(tmp_path, *map(member, "abc")))) == 4
    with pytest.raises(RefusedFiles, match="more than 3 files"):
        rewritten(archive(tmp_path, *map(member, "abcd")))


def test_the_names_of_links_are_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_stream, "_LINKS_BYTES", 1000, raising=False)
    names = [f"{n:03}{'x' * 197}" for n in range(6)]
    links = [member(name, tarfile.SYMTYPE, "t") for name in names]
    assert len(rewritten(archive(tmp_path, *links[:5]))) == 6
    with pytest.raises(RefusedFiles, match="exceed 1000 bytes"):
        rewritten(archive(tmp_path, *links))
    # A link that is overwritten does not count; a repeated link counts once.
    again = [*links[:5], *links[:5], *(member(name) for name in names[:5]), *links[:5]]
    assert len(rewritten(archive(tmp_path, *again))) == 21


def test_links_are_bounded_in_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_stream, "_LINKS_LIMIT", 3)
    made = [member(name, tarfile.SYMTYPE, "t") for name in "abcd"]
    assert len(rewritten(archive(tmp_path, *made[:3]))) == 4
    with pytest.raises(RefusedFiles, match="more than 3 symbolic links"):
        rewritten(archive(tmp_path, *made))


KINDS = [
    tarfile.REGTYPE,
    tarfile.DIRTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.CHRTYPE,
    tarfile.FIFOTYPE,
]


PATHS = st.lists(st.sampled_from(["a", "b", "..", ".", "", "c\n"]), min_size=1, max_size=4).map("/".join)


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), PATHS, PATHS), max_size=6),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.integers(0, 6000),
    st.binary(max_size=8),
)
@settings(max_examples=50, deadline=None)
def test_no_archive_leads_out_of_the_workspace(
    members: list[tuple[bytes, str, str]], format: int, at: int, noise: bytes
) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=format) as tar:
        for kind, name, target in members:
            one = member(name, kind, target, size=2 if kind == tarfile.REGTYPE else 0)
            tar.addfile(one, io.BytesIO(b"hi"))
    data = bytearray(raw.getvalue())
    data[at : at + len(noise)] = noise
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "files.tar")
        file.write_bytes(data)
        try:
            let_through = rewritten(file, "/w")
        except RefusedFiles:
            return
    links = set()
    for one in let_through:
        parts = one.name.split("/")
        assert parts[0] == "w"
        assert not {"", ".", ".."} & set(parts)
        assert one.isreg() or one.isdir() or one.issym()
        assert not any("/".join(parts[:depth]) in links for depth in range(1, len(parts)))
        if one.issym():
            links.add(one.name)
            assert not one.linkname.startswith("/")
            assert posixpath.normpath("/".join([*parts[:-1], one.linkname])).split("/")[0] == "w"


def test_long_names_survive(tmp_path: Path) -> None:
    name = "/".join(["n" * 200] * 5)
    assert rewritten(archive(tmp_path, member(name)))[1].name == f"srv/space/{name}"


def test_the_only_file_of_a_tar(tmp_path: Path) -> None:
    assert tar_stream.only_file(archive(tmp_path, member("passwd"), content=b"abc").read_bytes()) == b"abc"
    assert tar_stream.only_file(archive(tmp_path, member("passwd", tarfile.SYMTYPE, "x")).read_bytes()) == b""
    assert tar_stream.only_file(b"nothing") == b""
