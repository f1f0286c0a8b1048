"""One file or folder in the place of another: whole, or not at all, and nothing left beside."""

import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from jobctl.transfers import marks, replace


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("before")
    folder = os.open(tmp_path, replace.FOLDER)
    try:
        with suppress(ValueError), replace.new_file(folder, "x") as descriptor:
            os.write(descriptor, b"half")
            raise ValueError("cut")
        assert (tmp_path / "x").read_text() == "before"
        with replace.new_file(folder, "x", (tmp_path / "x").stat()) as descriptor:
            os.write(descriptor, b"after")
            assert (tmp_path / "x").read_text() == "before"
    finally:
        os.close(folder)
    assert (tmp_path / "x").read_text() == "after"
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o444, 0o4755])
def test_a_replaced_file_keeps_its_permissions_but_no_special_ones(tmp_path: Path, mode: int) -> None:
    (tmp_path / "x").write_text("before")
    (tmp_path / "x").chmod(mode)
    folder = os.open(tmp_path, replace.FOLDER)
    with replace.new_file(folder, "x", (tmp_path / "x").stat()) as descriptor:
        os.write(descriptor, b"after")
    os.close(folder)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == mode & 0o777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other users")
def test_a_file_that_root_replaces_stays_its_owners(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("before")
    os.chown(tmp_path / "x", 1234, 4321)
    folder = os.open(tmp_path, replace.FOLDER)
    with replace.new_file(folder, "x", (tmp_path / "x").stat()):
        pass
    os.close(folder)
    assert ((tmp_path / "x").stat().st_uid, (tmp_path / "x").stat().st_gid) == (1234, 4321)


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_replaces_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool) -> None:
    if not exchange:
        monkeypatch.setattr(replace, "_exchanged", lambda one, other: False)
    for text in ("one", "two"):
        with replace.new_folder(tmp_path, "res") as made:
            (made / text).write_text(text)
            replace.put_in_place(made, tmp_path / "res")
        assert names(tmp_path) == ["res"]
        assert names(tmp_path / "res") == [text]


def test_a_folder_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "res").mkdir()
    (tmp_path / "res" / "old").write_text("old")
    with suppress(ValueError), replace.new_folder(tmp_path, "res") as made:
        (made / "new").write_text("new")
        raise ValueError("no")
    assert names(tmp_path) == ["res"]
    assert names(tmp_path / "res") == ["old"]


def test_leftovers_are_removed_and_files_in_use_are_not(tmp_path: Path) -> None:
    left = tmp_path / replace.hidden("res")
    left.mkdir()
    (left / "half").write_text("half")
    (tmp_path / replace.hidden("res")).write_text("a file")
    for name in (".res.jobctl", ".res.jobctl-notes"):
        (tmp_path / name).write_text("of the caller")
    other = tmp_path / replace.hidden("results")
    other.mkdir()
    with replace.new_folder(tmp_path, "res") as first:
        with replace.new_folder(tmp_path, "res") as second:
            assert first.exists()
            assert first != second
        assert names(tmp_path) == sorted([".res.jobctl", ".res.jobctl-notes", first.name, other.name])
    assert names(tmp_path) == sorted([".res.jobctl", ".res.jobctl-notes", other.name])


def test_long_names_have_room_for_the_hidden_one(tmp_path: Path) -> None:
    name = "é" * 127
    with replace.new_folder(tmp_path, name) as made:
        replace.put_in_place(made, tmp_path / name)
    assert names(tmp_path) == [name]


def test_new_files_and_folders_are_marked(tmp_path: Path) -> None:
    with replace.new_folder(tmp_path, "res") as made:
        folder = os.open(made, replace.FOLDER)
        with replace.new_file(folder, "x") as descriptor:
            os.write(descriptor, b"text")
        os.close(folder)
        replace.put_in_place(made, tmp_path / "res")
    if not marks.is_marked(tmp_path / "res"):
        pytest.skip("this file system has no extended attributes")
    assert marks.first_foreign_path(tmp_path / "res") is None
