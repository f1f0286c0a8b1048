"""Local files as a tar stream: every name once, folders first, and only what can travel."""

import io
import os
import tarfile
from typing import Any

import pytest

from jobctl.errors import LocalFile
from jobctl.transfers.transfer_flags import Transfer, parse_transfers
from jobctl.transfers.upload import members, multipart, tar_stream


def opened(uploads: Any) -> Any:
    return tarfile.open(fileobj=io.BytesIO(b"".join(tar_stream(members(uploads)))))


@pytest.fixture
def tree(tmp_path: Any, monkeypatch: Any) -> Any:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "a").write_bytes(b"a" * 700)
    (tmp_path / "d" / "sub" / "ü").write_text("u")
    (tmp_path / "one").write_text("1")
    return tmp_path


def test_workspace_paths_are_checked(tree: Any) -> None:
    cases = {
        "x=one": ["x"],
        "x/=one": ["x", "x/one"],
        ".=one": ["one"],
        "p/q/r=one": ["p", "p/q", "p/q/r"],
        "in=d": ["in", "in/a", "in/sub", "in/sub/ü"],
        "in/=d/": ["in", "in/a", "in/sub", "in/sub/ü"],
        ".=d": ["a", "sub", "sub/ü"],
    }
    for text, expected in cases.items():
        path, _, local = text.partition("=")
        with opened([Transfer(path, local)]) as archive:
            assert archive.getnames() == expected, text


def test_a_later_upload_wins_and_names_stand_once(tree: Any) -> None:
    with opened([Transfer("in", "d"), Transfer("in/a", "one"), Transfer("in/new", "one")]) as archive:
        assert archive.getnames() == ["in", "in/a", "in/sub", "in/sub/ü", "in/new"]
        assert archive.extractfile("in/a").read() == b"1"


def test_links_are_sent_as_their_targets(tree: Any) -> None:
    (tree / "d" / "link").symlink_to(tree / "one")
    (tree / "d" / "folder").symlink_to(tree / "d" / "sub")
    with opened([Transfer("in", "d")]) as archive:
        assert archive.getmember("in/link").isreg()
        assert archive.getmember("in/folder/ü").isreg()


def test_a_folder_that_contains_itself_is_refused(tree: Any) -> None:
    (tree / "d" / "sub" / "up").symlink_to(tree / "d")
    with pytest.raises(LocalFile, match="is a link to"):
        members([Transfer("in", "d")])


def test_special_files_are_refused_before_the_upload(tree: Any) -> None:
    os.mkfifo(tree / "d" / "pipe")
    (tree / "broken").symlink_to(tree / "gone")
    for local, words in (
        ("gone", "no such file"),
        ("d", "neither a file nor a folder"),
        ("broken", "no such file"),
    ):
        with pytest.raises(LocalFile, match=words):
            members([Transfer("x", local)])
    with pytest.raises(LocalFile, match="is already a file"):
        members([Transfer("x", "one"), Transfer("x/y", "one")])


def test_a_file_that_shrinks_during_the_upload_is_an_error(tree: Any) -> None:
    (tree / "big").write_bytes(b"x" * (1 << 20))
    stream = tar_stream(members([Transfer("big", "big")]))
    next(stream)
    next(stream)
    os.truncate(tree / "big", 10)
    with pytest.raises(LocalFile, match="became shorter"):
        list(stream)


def test_a_multipart_body_has_both_parts(tree: Any) -> None:
    content_type, body = multipart(b'{"id":"a"}', members([Transfer("x", "one")]))
    boundary = content_type.partition("boundary=")[2].encode()
    parts = b"".join(body).split(b"--" + boundary)
    assert len(parts) == 4
    assert parts[1].endswith(b'\r\n\r\n{"id":"a"}\r\n')
    assert b'name="files"' in parts[2]
    assert parts[3] == b"--\r\n"


@pytest.mark.parametrize("path", [r"caf\xe9", "caf\udce9"])
def test_a_name_in_the_workspace_is_given_by_its_bytes_or_by_their_escape(tree: Any, path: str) -> None:
    transfers = parse_transfers([], [f"{path}=one"], [f"{path}=."], [], [path])
    assert transfers.artifacts[0]["in"] == r"caf\xe9"
    assert transfers.fetches[0].path == r"caf\xe9"
    with opened(list(transfers.uploads)) as archive:
        assert [os.fsencode(name) for name in archive.getnames()] == [b"caf\xe9"]
