"""Whether a request without an answer has reached the engine."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from docker import APIClient

from jobd.docker.http.endpoint import parse
from jobd.docker.http.sdk import client_for, translated
from jobd.jobs.port.errors import EngineUnavailable


def start_at(url: str) -> EngineUnavailable:
    """Returns the error of a start at this address."""
    client = client_for(parse(url, None), "1.41", 10, 1)
    start: Callable[[APIClient], object] = lambda client: client.start("c")  # noqa: E731
    with pytest.raises(EngineUnavailable) as raised:
        translated(start, client)
    return raised.value


@contextmanager
def server(listening: socket.socket) -> Iterator[None]:
    """Reads a request, and closes the connection without an answer."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)

    listening.listen()
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield
    thread.join(30)
    listening.close()


def test_without_a_socket_nothing_is_sent(tmp_path: Path) -> None:
    assert start_at(f"unix://{tmp_path}/none.sock").unsent


def test_a_refused_connection_sends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert start_at(f"unix://{path}").unsent
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assert start_at(f"tcp://127.0.0.1:{port}").unsent


def test_a_lost_answer_is_no_unsent_request(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    with server(listening):
        assert not start_at(f"unix://{path}").unsent
