"""Finding the daemon: who wins over whom, and what a key needs."""

import os
import socket
from typing import Any

import pytest

from jobctl.connection import client, config
from jobctl.connection.config import SYSTEM_SOCKET, Target, defaults, parse_host, read_key, targets
from jobctl.errors import LocalFile, Misuse, NotAllowed, Unreachable


def texts(host: Any, environ: Any) -> Any:
    return [str(target) for target in targets(host, environ)]


@pytest.fixture
def home(tmp_path: Any) -> Any:
    (tmp_path / ".config" / "jobctl").mkdir(parents=True)
    return tmp_path


@pytest.fixture(autouse=True)
def runtime_dirs(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(config, "RUNTIME_DIRS", tmp_path / "run")
    return tmp_path / "run"


def environ_of(home: Any, **more: Any) -> Any:
    return {"HOME": str(home), "JOBD_STATE_DIR": str(home / "state"), **more}


def test_the_users_sockets_come_before_the_systems(home: Any) -> None:
    assert texts(None, environ_of(home)) == [f"unix://{home}/state/jobd.sock", f"unix://{SYSTEM_SOCKET}"]
    assert (
        texts(None, environ_of(home, XDG_RUNTIME_DIR="/run/user/7"))[0] == "unix:///run/user/7/jobd/jobd.sock"
    )
    assert texts(None, environ_of(home, JOBD_SOCKET="/s", XDG_RUNTIME_DIR="/run/user/7")) == ["unix:///s"]


def test_the_users_runtime_folder_is_tried_without_its_variable(home: Any, runtime_dirs: Any) -> None:
    own = runtime_dirs / str(os.getuid())
    own.mkdir(parents=True)
    assert texts(None, environ_of(home))[0] == f"unix://{own}/jobd/jobd.sock"
    assert texts(None, environ_of(home, XDG_RUNTIME_DIR=str(own))).count(f"unix://{own}/jobd/jobd.sock") == 1
    after_su = texts(None, environ_of(home, XDG_RUNTIME_DIR="/run/user/7"))
    assert after_su[:2] == ["unix:///run/user/7/jobd/jobd.sock", f"unix://{own}/jobd/jobd.sock"]
    assert texts(None, environ_of(home, JOBD_SOCKET="/s")) == ["unix:///s"]


def test_a_socket_of_another_user_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = socket.socketpair()

    def connected(target: Target) -> socket.socket:
        if target.path == "/theirs":
            raise NotAllowed("not for this user")
        if target.path == "/mine":
            return here
        raise Unreachable("nobody")

    monkeypatch.setattr(client, "connected", connected)
    paths = ("/none", "/theirs", "/mine")
    assert client.Client(Target("unix", path=path) for path in paths)._connect() is here
    with pytest.raises(NotAllowed):
        client.Client(Target("unix", path=path) for path in paths[:2])._connect()
    here.close()
    there.close()


def test_flag_over_variable_over_context_over_sockets(home: Any) -> None:
    (home / ".config" / "jobctl" / "contexts.toml").write_text(
        'current = "lab"\n[contexts.lab]\nhost = "http://lab:1"\n[contexts.other]\nhost = "unix:///o"\n'
    )
    environ = environ_of(home, JOBD_SOCKET="/s")
    assert texts(None, environ) == ["http://lab:1"]
    assert texts(None, {**environ, "JOBCTL_CONTEXT": "other"}) == ["unix:///o"]
    assert texts(None, {**environ, "JOBCTL_HOST": "http://var:2"}) == ["http://var:2"]
    assert texts("unix:///flag", {**environ, "JOBCTL_HOST": "http://var:2"}) == ["unix:///flag"]


def test_the_key_comes_from_the_named_file_or_from_this_machines_daemon(home: Any) -> None:
    (home / "state").mkdir()
    (home / "state" / "api-key").write_text("own\n")
    (home / "named").write_text("named\n")
    environ = environ_of(home)

    def key(host: str, **more: str) -> str | None:
        return next(iter(targets(host, {**environ, **more}))).key

    assert key("http://127.0.0.1:8080") == "own"
    assert key("http://[::1]:8080") == "own"
    assert key("http://elsewhere:8080") is None, "this machine's key is not sent to another"
    assert key("http://elsewhere:8080", JOBCTL_API_KEY_FILE=str(home / "named")) == "named"
    assert key("http://localhost", JOBCTL_API_KEY_FILE=str(home / "named")) == "named"
    assert key("unix:///s", JOBCTL_API_KEY_FILE=str(home / "gone")) is None


def test_keys_never_show_in_a_repr() -> None:
    assert "s3cret" not in repr(Target("http", host="h", port=1, key="s3cret"))


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("unix:///a/b", Target("unix", path="/a/b")),
        ("/a/b", Target("unix", path="/a/b")),
        ("http://h", Target("http", host="h", port=8080)),
        ("http://[::1]:9/", Target("http", host="::1", port=9)),
        ("https://h", Target("https", host="h", port=443)),
    ],
)
def test_addresses(text: Any, target: Any) -> None:
    assert parse_host(text) == target


@pytest.mark.parametrize(
    "text",
    ["h:80", "unix://a", "http://", "http://h/x", "http://u:p@h", "http://h:0", "http://h:x", "tcp://h:1"],
)
def test_invalid_addresses_are_refused(text: Any) -> None:
    with pytest.raises(Misuse):
        parse_host(text)


@pytest.mark.parametrize("content", ["", "a b\n", "a\nb\n", "ü\n"])
def test_invalid_key_files_are_refused(tmp_path: Any, content: Any) -> None:
    (tmp_path / "k").write_text(content, encoding="utf-8")
    with pytest.raises(LocalFile) as caught:
        read_key(tmp_path / "k")
    assert content.strip() == "" or content.strip() not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "not toml",
        'current = "gone"',
        'current = "a"\n[contexts.a]\nport = 1',
        'current = "a"\n[contexts.a]\nhost = "/s"\napi_key_file = 3',
    ],
)
def test_an_invalid_context_file_is_named(home: Any, content: Any) -> None:
    (home / ".config" / "jobctl" / "contexts.toml").write_text(content)
    with pytest.raises(LocalFile, match=r"contexts\.toml"):
        texts(None, environ_of(home))


def test_a_workstations_defaults_come_from_variables_before_the_context_file(home: Any) -> None:
    environ = environ_of(home)
    assert defaults(environ) == []
    path = home / ".config" / "jobctl" / "contexts.toml"
    path.write_text('default_memory = "2g"\ndefault_cpus = 1.5\n')
    assert [(d.name, d.text) for d in defaults(environ)] == [("memory", "2g"), ("cpus", "1.5")]
    assert defaults(environ)[0].source == f"default_memory in {path}"
    found = defaults({**environ, "JOBCTL_DEFAULT_MEMORY": "1g", "JOBCTL_DEFAULT_TIMEOUT": "2h"})
    assert [(d.name, d.text) for d in found] == [("memory", "1g"), ("cpus", "1.5"), ("timeout", "2h")]
    assert found[0].source == "JOBCTL_DEFAULT_MEMORY"
    path.write_text("no toml")
    with pytest.raises(LocalFile):
        defaults(environ)
