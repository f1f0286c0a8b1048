"""State folders prepared by another user: links, other owners, folders that others can change."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from jobd.errors import ConfigError
from jobd.private import require_protected
from jobd.process.listeners import unix_listener
from jobd.process.state_folder import FILES, StateFolder, api_key, fingerprint_key, instance_name, open_state

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir(mode=0o755)
    (folder / "precious").write_text("keep")
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    open_state(tmp_path / "state")
    return tmp_path / "state"


def refused(state: Path, named: Path) -> str:
    with pytest.raises(ConfigError, match="JOBD_STATE_DIR") as caught:
        open_state(state)
    assert str(named) in str(caught.value)
    return str(caught.value)


def unharmed(elsewhere: Path) -> None:
    assert [path.name for path in elsewhere.iterdir()] == ["precious"]
    assert elsewhere.stat().st_mode & 0o777 == 0o755
    assert (elsewhere / "precious").read_text() == "keep"


def test_a_state_folder_that_is_a_link_is_refused(tmp_path: Path, elsewhere: Path) -> None:
    (tmp_path / "state").symlink_to(elsewhere)
    assert "symbolic link" in refused(tmp_path / "state", tmp_path / "state")
    unharmed(elsewhere)


@pytest.mark.parametrize("name", ["spool", "secrets"])
def test_a_subfolder_that_is_a_link_is_refused(state: Path, elsewhere: Path, name: str) -> None:
    (state / name).rmdir()
    (state / name).symlink_to(elsewhere)
    assert "symbolic link" in refused(state, state / name)
    unharmed(elsewhere)


@pytest.mark.parametrize("name", FILES)
def test_a_state_file_that_is_a_link_or_no_regular_file_is_refused(
    state: Path, elsewhere: Path, name: str
) -> None:
    for target in (elsewhere / "precious", elsewhere / "not-there"):
        (state / name).symlink_to(target)
        assert "symbolic link" in refused(state, state / name)
        (state / name).unlink()
    os.mkfifo(state / name)
    assert "no regular file" in refused(state, state / name)
    unharmed(elsewhere)


@as_root
@pytest.mark.parametrize("name", [".", "spool", "secrets", *FILES])
def test_files_of_another_user_are_refused_with_a_remedy(state: Path, name: str) -> None:
    path = state / name
    if name in FILES:
        path.write_text("0123456789abcdef")
    os.chown(path, NOBODY, NOBODY)
    said = refused(state, state if name == "." else path)
    assert f"uid {NOBODY}" in said
    assert "chown" in said


@pytest.mark.parametrize("name", [".", "spool", "secrets"])
def test_a_folder_that_others_can_write_to_is_refused(state: Path, name: str) -> None:
    (state / name).chmod(0o707)
    assert "chmod 700" in refused(state, (state / name).absolute())
    (state / name).chmod(0o705)
    open_state(state)
    assert (state / name).stat().st_mode & 0o777 == 0o700


@as_root
def test_a_folder_that_another_group_can_write_to_is_refused(state: Path) -> None:
    os.chown(state, -1, NOBODY)
    state.chmod(0o770)
    refused(state, state)


def test_the_group_of_the_daemon_may_write(state: Path) -> None:
    os.chown(state, -1, os.getegid())
    state.chmod(0o775)
    assert open_state(state).path == state


@as_root
def test_a_parent_folder_that_others_can_change_is_refused(tmp_path: Path) -> None:
    way = tmp_path / "way"
    (way / "deeper").mkdir(parents=True)
    os.chown(way, NOBODY, NOBODY)
    assert f"uid {NOBODY}" in refused(way / "deeper" / "state", way)
    os.chown(way, 0, 0)
    way.chmod(0o777)
    assert "chmod go-w" in refused(way / "deeper" / "state", way)
    way.chmod(0o1777)
    open_state(way / "deeper" / "state")


def test_links_in_parent_folders_are_resolved_once(tmp_path: Path, elsewhere: Path) -> None:
    (tmp_path / "way").symlink_to(elsewhere)
    assert open_state(tmp_path / "way" / "state").path == elsewhere / "state"


@pytest.mark.parametrize("key", [instance_name, fingerprint_key, lambda folder: api_key(folder, None)])
def test_a_key_that_has_become_a_link_is_not_followed(
    state: Path, elsewhere: Path, key: Callable[[StateFolder], object]
) -> None:
    folder = open_state(state)
    (elsewhere / "precious").write_text("00" * 32)
    for name in ("instance", "fingerprint-key", "api-key"):
        (state / name).symlink_to(elsewhere / "precious")
    with pytest.raises(ConfigError, match="symbolic link"):
        key(folder)


@as_root
def test_a_socket_is_not_created_in_a_folder_that_others_can_change(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(ConfigError, match=r"JOBD_SOCKET: .*/run belongs to another user"):
        unix_listener(folder / "jobd.sock")
    os.chown(folder, 0, 0)
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match="JOBD_SOCKET: other users can change"):
        unix_listener(folder / "jobd.sock")


def test_a_socket_that_is_a_link_is_refused_and_not_removed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "o.sock"))
        (tmp_path / "jobd.sock").symlink_to("o.sock")
        with pytest.raises(ConfigError, match="symbolic link"):
            unix_listener(tmp_path / "jobd.sock")
    assert (tmp_path / "o.sock").is_socket()


def test_the_root_folder_is_refused_and_unchanged() -> None:
    before = Path("/").stat().st_mode
    with pytest.raises(ConfigError, match="JOBD_STATE_DIR: /"):
        open_state(Path("/"))
    assert Path("/").stat().st_mode == before


def test_a_sticky_parent_folder_is_accepted(tmp_path: Path) -> None:
    require_protected(tmp_path, "X")
