"""Settings of the start: the key file, the state folder, ports and paths."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, until
from tests.support.wire import over_unix


def test_the_key_file_is_read_and_an_unreadable_one_is_fatal(
    make_daemon: Callable[..., Daemon], no_engine: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "key"
    path.write_text("a-key-of-the-operator\n")
    path.chmod(0o600)
    daemon = make_daemon(environ={**no_engine, "API_KEY_FILE": str(path)}, flags=()).start()
    for key, status in (("a-key-of-the-operator", 200), ("a-key-of-the-operator2", 401)):
        assert daemon.call("GET", "/v1/jobs", headers={"Authorization": f"Bearer {key}"}).status == status
    assert not (daemon.folder / "state" / "api-key").exists()
    assert "a-key-of-the-operator" not in daemon.log.read_text()
    daemon.stop()
    path.write_text("")
    with pytest.raises(pytest.fail.Exception, match="ended with 2"):
        daemon.start()
    assert "API_KEY_FILE" in daemon.log.read_text().splitlines()[-1]


def test_a_state_folder_with_a_link_is_fatal_and_unchanged(
    make_daemon: Callable[..., Daemon], no_engine: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    daemon = make_daemon(environ=no_engine)
    (daemon.folder / "state").mkdir(parents=True)
    (daemon.folder / "state" / "secrets").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(pytest.fail.Exception, match="ended with 2"):
        daemon.start()
    said = daemon.log.read_text().splitlines()[-1]
    assert "JOBD_STATE_DIR" in said
    assert "symbolic link" in said
    assert (tmp_path / "elsewhere").stat().st_mode & 0o777 == 0o755


def test_a_port_in_use_is_named(make_daemon: Callable[..., Daemon], no_engine: dict[str, str]) -> None:
    first = make_daemon(environ=no_engine).start()
    ports = {"PORT": first.http.rpartition(":")[2], "METRICS_PORT": first.metrics[:-8].rpartition(":")[2]}
    first.stop()
    second = make_daemon(environ={**no_engine, **ports}).start()
    assert (second.http, second.metrics) == (first.http, first.metrics)


def test_flags_override_the_variables_for_socket_and_state(
    make_daemon: Callable[..., Daemon], no_engine: dict[str, str], tmp_path: Path
) -> None:
    at = {"JOBD_SOCKET": str(tmp_path / "a" / "s"), "JOBD_STATE_DIR": str(tmp_path / "b")}
    flagged = make_daemon(environ={**no_engine, **at}).start()
    assert flagged.socket.is_socket()
    assert (flagged.folder / "state" / "jobd.db").exists()
    assert not (tmp_path / "b").exists()
    log = tmp_path / "log"
    with log.open("wb") as output:
        plain = subprocess.Popen(
            [sys.executable, "-m", "jobd"],
            env={
                **os.environ,
                **no_engine,
                **at,
                "PORT": "0",
                "METRICS_PORT": "0",
                "SHUTDOWN_DRAIN_WAIT": "0s",
            },
            stderr=output,
        )
    try:
        until(lambda: b"jobd is ready" in log.read_bytes(), "jobd is ready")
        assert over_unix(tmp_path / "a" / "s", "GET", "/v1/version").json["stateDir"] == str(tmp_path / "b")
        assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o700
    finally:
        plain.terminate()
        assert plain.wait(60) == 0
    assert not (tmp_path / "a" / "s").exists()
