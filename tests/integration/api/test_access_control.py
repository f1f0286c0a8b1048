"""Access control of the API, and connections that must not block other clients."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.support.daemon import DEADLINE_S, Daemon
from tests.support.wire import answer_on, connect, exchange, head, over_unix


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, no_engine: dict[str, str]) -> Iterator[Daemon]:
    """A daemon with default settings: it requires a key over TCP, which it has generated."""
    daemon = Daemon(tmp_path_factory.mktemp("locked"), environ=no_engine, flags=()).start()
    yield daemon
    daemon.stop()


def key_of(daemon: Daemon) -> str:
    return (daemon.folder / "state" / "api-key").read_text().strip()


def test_without_the_key_only_health_responds(locked: Daemon) -> None:
    for path in ("/v1/jobs", "/v1/version", "/openapi.json", "/v1/events", "/no-such-path"):
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "Basic eDp5"},
            {"X-API-Key": "x"},
        ):
            answer = locked.call("GET", path, headers=headers)
            assert (answer.status, answer.json["code"]) == (401, "unauthorized")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert locked.call("POST", "/v1/jobs", {"id": "x", "image": "y"}).status == 401
    assert locked.call("GET", "/livez").status == 200
    assert locked.call("GET", "/readyz").status == 503  # the engine is away


def test_with_the_key_all_endpoints_respond(locked: Daemon) -> None:
    key = key_of(locked)
    for headers in (
        {"Authorization": f"Bearer {key}"},
        {"Authorization": f"bearer  {key}"},
        {"X-API-Key": key},
    ):
        assert locked.call("GET", "/v1/jobs", headers=headers).status == 200


@pytest.mark.parametrize("token", ["\xff\xfe", "Ä", "x" * 8000, ""])
def test_a_key_that_is_not_ascii_is_wrong(locked: Daemon, token: str) -> None:
    for name in ("Authorization", "X_API_Key"):
        value = f"Bearer {token}" if name == "Authorization" else token
        assert exchange(locked, head("GET", "/v1/jobs", **{name: value})).status == 401


def test_the_key_file_is_private_and_survives_a_restart(
    make_daemon: Callable[..., Daemon], no_engine: dict[str, str]
) -> None:
    daemon = make_daemon(environ=no_engine, flags=()).start()
    path = daemon.folder / "state" / "api-key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    key = key_of(daemon)
    assert len(key) >= 32
    assert key not in daemon.log.read_text()
    daemon.stop()
    daemon.start()
    assert key_of(daemon) == key


def test_the_unix_socket_is_private_and_needs_no_key(locked: Daemon) -> None:
    assert stat.S_IMODE(locked.socket.stat().st_mode) == 0o600
    assert over_unix(locked.socket, "GET", "/v1/jobs").status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::2]", "", "localhost@evil", "0.0.0.0"],
)
def test_a_foreign_host_is_refused(locked: Daemon, host: str) -> None:
    for path in ("/v1/jobs", "/livez", "/internal/events"):
        answer = exchange(locked, head("GET", path, Host=host, X_API_Key=key_of(locked)))
        assert (answer.status, answer.json["code"]) == (403, "host-refused")


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:99", "[::1]:8080", "host.docker.internal:8080"],
)
def test_hosts_in_jobd_names_are_accepted(locked: Daemon, host: str) -> None:
    assert exchange(locked, head("GET", "/livez", Host=host)).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:8080", ""])
def test_a_request_from_a_web_page_is_refused(locked: Daemon, origin: str) -> None:
    key = key_of(locked)
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for method, headers in (
        ("GET", {"Origin": origin}),
        ("POST", {"Origin": origin}),
        ("OPTIONS", preflight),
    ):
        answer = locked.call(method, "/v1/jobs", headers={**headers, "Authorization": f"Bearer {key}"})
        assert (answer.status, answer.json["code"]) == (403, "origin-refused")
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_no_response_has_cors_headers(locked: Daemon) -> None:
    for path in ("/livez", "/v1/jobs", "/openapi.json"):
        answer = locked.call("GET", path, headers={"Authorization": f"Bearer {key_of(locked)}"})
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    "lines",
    [{"X": "a" * 100_000}, {f"X-{n}": "a" for n in range(5000)}, {f"X-{n}": "a" * 4000 for n in range(500)}],
)
def test_a_flood_of_headers_is_refused(locked: Daemon, lines: dict[str, str]) -> None:
    with connect(locked) as sock:
        try:
            sock.sendall(head("GET", "/livez", **lines))
            assert answer_on(sock).status in (400, 431)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the daemon has closed the connection
    assert locked.call("GET", "/livez").status == 200


def test_silent_connections_do_not_block_other_clients(locked: Daemon) -> None:
    starts = (b"", b"GET", head("GET", "/livez")[:-2], head("GET", "/livez", Content_Length="10"))
    waiting = []
    try:
        for number in range(200):
            sock = connect(locked)
            sock.sendall(starts[number % len(starts)])
            waiting.append(sock)
        for _ in range(20):
            assert locked.call("GET", "/livez").status == 200
            assert over_unix(locked.socket, "GET", "/v1/jobs").status == 200
    finally:
        for sock in waiting:
            sock.close()


def start_another(daemon: Daemon, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs a second jobd to its end."""
    return subprocess.run(
        [sys.executable, "-m", "jobd"],
        env={**os.environ, **daemon.environ, "METRICS_PORT": "0", "PORT": "0", **environ},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


@pytest.mark.parametrize("shared", ["JOBD_STATE_DIR", "JOBD_SOCKET", "PORT", "METRICS_PORT"])
def test_a_second_daemon_does_not_take_the_first_ones_socket(
    locked: Daemon, tmp_path_factory: pytest.TempPathFactory, shared: str
) -> None:
    own = tmp_path_factory.mktemp("second")
    values = {
        "JOBD_STATE_DIR": str(own / "state"),
        "JOBD_SOCKET": str(own / "jobd.sock"),
        "PORT": "0",
        "METRICS_PORT": "0",
    }
    values[shared] = {
        "JOBD_STATE_DIR": str(locked.folder / "state"),
        "JOBD_SOCKET": str(locked.socket),
        "PORT": locked.http.rpartition(":")[2],
        "METRICS_PORT": locked.metrics.removesuffix("/metrics").rpartition(":")[2],
    }[shared]
    ended = start_another(locked, **values)
    assert ended.returncode == 2
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith(f"jobd: {shared}: ")
    assert over_unix(locked.socket, "GET", "/livez").status == 200
    assert locked.call("GET", "/livez").status == 200


def test_the_socket_of_a_killed_daemon_is_replaced(
    make_daemon: Callable[..., Daemon], no_engine: dict[str, str]
) -> None:
    daemon = make_daemon(environ=no_engine).start()
    daemon.kill()
    assert daemon.socket.is_socket()
    daemon.start()
    assert over_unix(daemon.socket, "GET", "/livez").status == 200
    assert daemon.stop() == 0
    assert not daemon.socket.exists()


def test_a_file_at_the_sockets_path_is_not_replaced(
    locked: Daemon, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = tmp_path_factory.mktemp("file")
    path = own / "precious"
    path.write_text("keep")
    ended = start_another(locked, JOBD_STATE_DIR=str(own / "state"), JOBD_SOCKET=str(path))
    assert ended.returncode == 2
    assert ended.stderr.startswith("jobd: JOBD_SOCKET: ")
    assert path.read_text() == "keep"


def test_the_service_managers_socket_is_used_and_not_removed(
    make_daemon: Callable[..., Daemon], no_engine: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Socket activation: the daemon uses the passed socket, reports that it is ready, and does not remove the file."""
    folder = tmp_path_factory.mktemp("given")
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(folder / "notify"))
    notify.settimeout(DEADLINE_S)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(folder / "given.sock"))
    listener.listen()
    # LISTEN_PID must be the daemon's own: a shell sets it, then becomes the daemon.
    script = 'exec 3<&"$GIVEN"; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" -m jobd'
    process = subprocess.Popen(
        ["/bin/bash", "-c", script, sys.executable],
        env={
            **os.environ, **no_engine, "PORT": "0", "METRICS_PORT": "0", "GIVEN": str(listener.fileno()),
            "JOBD_STATE_DIR": str(folder / "state"), "SHUTDOWN_DRAIN_WAIT": "0s", "NOTIFY_SOCKET": str(folder / "notify"),
        },
        pass_fds=[listener.fileno()],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    listener.close()
    try:
        assert notify.recv(100) == b"READY=1"
        assert over_unix(folder / "given.sock", "GET", "/v1/jobs").status == 200
        process.terminate()
        assert notify.recv(100) == b"STOPPING=1"
        assert process.wait(DEADLINE_S) == 0
    finally:
        process.kill()
        process.wait(DEADLINE_S)
        notify.close()
    assert (folder / "given.sock").is_socket()
