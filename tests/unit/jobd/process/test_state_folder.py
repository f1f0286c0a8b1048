"""What is kept beside the database: private, made once, and never silently replaced."""

import stat
from pathlib import Path

import pytest

from jobd.errors import ConfigError
from jobd.process.state_folder import (
    StateFolder,
    api_key,
    fingerprint_key,
    instance_name,
    open_state,
    remove_stale_uploads,
    sizes,
)


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    return open_state(tmp_path / "a" / "state")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_is_made_private_with_its_spool(folder: StateFolder) -> None:
    assert mode(folder.path) == 0o700
    assert mode(folder.spool) == 0o700
    assert folder.database.parent == folder.path
    assert folder.spool_path("u1").parent == folder.spool


def test_a_folder_that_others_can_read_is_closed_to_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    open_state(tmp_path)
    assert mode(tmp_path) == 0o700


def test_a_folder_that_cannot_be_made_is_refused_by_its_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="JOBD_STATE_DIR"):
        open_state(tmp_path / "file" / "state")
    with pytest.raises(ConfigError, match="JOBD_STATE_DIR"):
        open_state(tmp_path / "file")


def test_a_key_is_made_once_and_readable_by_its_owner_alone(folder: StateFolder) -> None:
    key = api_key(folder, None)
    assert len(key) >= 40
    assert api_key(folder, None) == key
    assert mode(folder.path / "api-key") == 0o600
    assert (folder.path / "api-key").read_text() == key + "\n"
    assert [path.name for path in folder.path.iterdir() if path.is_file()] == ["api-key"]


def test_two_folders_have_two_keys_and_names(tmp_path: Path) -> None:
    one, two = open_state(tmp_path / "1"), open_state(tmp_path / "2")
    assert api_key(one, None) != api_key(two, None)
    assert instance_name(one) != instance_name(two)


def test_a_name_is_made_once_and_fits_a_label(folder: StateFolder) -> None:
    name = instance_name(folder)
    assert name.isalnum()
    assert instance_name(folder) == name
    assert mode(folder.path / "instance") == 0o600


def test_the_key_of_fingerprints_is_made_once_and_private(folder: StateFolder, tmp_path: Path) -> None:
    key = fingerprint_key(folder)
    assert len(key) == 32
    assert fingerprint_key(folder) == key != fingerprint_key(open_state(tmp_path / "other"))
    assert mode(folder.path / "fingerprint-key") == 0o600


@pytest.mark.parametrize("content", ["", "abcd", "no hexadecimal", "00" * 33])
def test_a_damaged_key_of_fingerprints_is_fatal_and_not_shown(folder: StateFolder, content: str) -> None:
    (folder.path / "fingerprint-key").write_text(content)
    with pytest.raises(ConfigError, match="fingerprint-key") as caught:
        fingerprint_key(folder)
    assert not content or content not in str(caught.value)


def test_a_key_file_is_used_without_its_newline_and_none_is_made(folder: StateFolder, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("0123456789abcdef\n")
    file.chmod(0o640)
    assert api_key(folder, file) == "0123456789abcdef"
    assert not (folder.path / "api-key").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"short",
        b"two words here",
        b"two\nlines of it",
        "schlüssel-lang".encode(),
        b"\xff" * 20,
        b"tab\tin the key",
    ],
)
def test_a_key_file_without_one_usable_key_is_fatal_and_not_shown(
    folder: StateFolder, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        api_key(folder, file)
    assert str(file) in str(caught.value)
    assert not (folder.path / "api-key").exists()


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_key_file_that_cannot_be_read_is_fatal(folder: StateFolder, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "key"
    if kind == "folder":
        file.mkdir()
    with pytest.raises(ConfigError, match="key"):
        api_key(folder, file)
    assert not (folder.path / "api-key").exists()


def test_a_key_of_ones_own_in_the_folder_is_kept(folder: StateFolder) -> None:
    (folder.path / "api-key").write_text("my-own-long-key\n")
    assert api_key(folder, None) == "my-own-long-key"


def test_sizes_are_of_the_database_with_its_log_and_of_each_upload(folder: StateFolder) -> None:
    folder.database.write_bytes(b"x" * 1000)
    folder.path.joinpath("jobd.db-wal").write_bytes(b"x" * 200)
    folder.path.joinpath("api-key").write_bytes(b"x" * 50)
    for name, size in (("u1", 30), ("u2", 4)):
        folder.spool_path(name).write_bytes(b"x" * size)
    free, database, uploads = sizes(folder)
    assert free > 0
    assert database == 1200
    assert sorted(uploads) == [4, 30]


def test_only_uploads_that_no_job_waits_for_are_removed(folder: StateFolder) -> None:
    for name in ("u1", "u2", "u3"):
        folder.spool_path(name).write_bytes(b"x")
    (folder.spool / "notes.txt").write_text("")
    assert remove_stale_uploads(folder, {"u2"}) == 2
    assert sorted(path.name for path in folder.spool.iterdir()) == ["notes.txt", "u2.tar"]
    assert remove_stale_uploads(folder, {"u2"}) == 0


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o666])
def test_a_key_file_for_everybody_is_refused_with_what_helps(
    folder: StateFolder, tmp_path: Path, mode: int
) -> None:
    file = tmp_path / "key"
    file.write_text("0123456789abcdef\n")
    file.chmod(mode)
    with pytest.raises(ConfigError, match=f"chmod o= {file}"):
        api_key(folder, file)


def test_a_key_file_may_be_a_link_as_service_managers_make_them(folder: StateFolder, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("0123456789abcdef\n")
    (tmp_path / "real").chmod(0o600)
    (tmp_path / "key").symlink_to("real")
    assert api_key(folder, tmp_path / "key") == "0123456789abcdef"
