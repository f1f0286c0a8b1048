"""The text of requests, and connections that are kept for a second request."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.connection.client import Client, quoted
from jobctl.connection.config import Target

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_quoted_as_the_library_does(text: str) -> None:
    assert quoted(text) == quote(text, safe="")


class Server:
    """Gives each connection the answers of one list, then closes the connection."""

    def __init__(self, path: Path, answers: list[int]) -> None:
        self.path = str(path)
        self.answered: list[int] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept, args=(answers,))]
        self._threads[0].start()

    def _accept(self, answers: list[int]) -> None:
        for number, count in enumerate(answers):
            connection, _ = self._listener.accept()
            self._threads.append(threading.Thread(target=self._answer, args=(connection, number, count)))
            self._threads[-1].start()

    def _answer(self, connection: socket.socket, number: int, count: int) -> None:
        with connection:
            connection.settimeout(5)
            for _ in range(count):
                if not connection.recv(1000):
                    break
                self.answered.append(number)
                connection.sendall(ANSWER)

    def close(self) -> None:
        for thread in self._threads:
            thread.join(5)
        self._listener.close()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[Server]]:
    made: list[Server] = []
    yield made
    for server in made:
        server.close()


def exchange(client: Client, method: str, *, keep: bool) -> bytes:
    with client.open(method, "/", keep=keep) as answer:
        return b"".join(answer.blocks())


def test_a_get_uses_the_kept_connection(tmp_path: Path, servers: list[Server]) -> None:
    servers.append(Server(tmp_path / "s", [2, 1]))
    client = Client([Target("unix", path=servers[0].path)])
    assert [exchange(client, "POST", keep=True), exchange(client, "GET", keep=False)] == [b"ok", b"ok"]
    assert exchange(client, "GET", keep=False) == b"ok"
    assert servers[0].answered == [0, 0, 1]


def test_a_get_is_repeated_where_the_kept_connection_is_closed(tmp_path: Path, servers: list[Server]) -> None:
    servers.append(Server(tmp_path / "s", [1, 1]))
    client = Client([Target("unix", path=servers[0].path)])
    assert [exchange(client, "POST", keep=True), exchange(client, "GET", keep=False)] == [b"ok", b"ok"]
    assert servers[0].answered == [0, 1]


def test_a_post_is_never_sent_over_a_kept_connection(tmp_path: Path, servers: list[Server]) -> None:
    servers.append(Server(tmp_path / "s", [2, 1]))
    client = Client([Target("unix", path=servers[0].path)])
    assert [exchange(client, "POST", keep=True), exchange(client, "POST", keep=False)] == [b"ok", b"ok"]
    assert exchange(client, "GET", keep=False) == b"ok"
    assert servers[0].answered == [0, 1, 0]


def test_a_post_that_may_be_repeated_uses_a_kept_connection_or_a_new_one(
    tmp_path: Path, servers: list[Server]
) -> None:
    """A set's jobs are submitted over few connections. The second connection is closed by the server after its first answer."""
    servers.append(Server(tmp_path / "s", [2, 1, 1]))
    client = Client([Target("unix", path=servers[0].path)])

    def post(keep: bool = True) -> bytes:
        with client.open("POST", "/", body=b"{}", headers={"Idempotency-Key": "k"}, keep=keep) as response:
            return b"".join(response.blocks())

    assert [post(), post(), post(), post(keep=False)] == [b"ok"] * 4
    assert servers[0].answered == [0, 0, 1, 2]
