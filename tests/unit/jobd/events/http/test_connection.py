"""One connection, fed by hand: any bytes, in any pieces, give at most one answer, of bounded size."""

import asyncio
import itertools
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.events.http.connection import (
    BODY_BYTES,
    HEAD_BYTES,
    RETRY_AFTER_BYTES,
    Connection,
    NoAnswer,
    Reply,
)

LONG_S = 3600.0


class Wire(asyncio.Transport):
    """A transport that records written bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.unsent = 0
        self.gone = False

    def write(self, data: Any) -> None:
        self.sent += data

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.gone = True

    def is_closing(self) -> bool:
        return self.gone


def exchanged(act: Callable[[Connection, Wire], None]) -> tuple[Reply | Exception | None, Connection, Wire]:
    """Sends a request, lets `act` play the receiver; returns the result, None while the request waits."""

    async def run() -> tuple[Reply | Exception | None, Connection, Wire]:
        connection, wire = Connection(), Wire()
        connection.connection_made(wire)
        future = connection.exchange(b"POST / HTTP/1.1\r\n\r\n", LONG_S)
        act(connection, wire)
        outcome: Reply | Exception | None = None
        if future.done():
            outcome = future.exception() or future.result()  # type: ignore[assignment]
        elif not wire.gone:
            connection.connection_lost(None)  # stops the timer
            future.exception()
        return outcome, connection, wire

    return asyncio.run(run())


def fed(*pieces: bytes) -> tuple[Reply | Exception | None, Connection, Wire]:
    def act(connection: Connection, wire: Wire) -> None:
        for piece in pieces:
            if not wire.gone:
                connection.received(piece)

    return exchanged(act)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    points = sorted({0, len(data), *(point % (len(data) + 1) for point in at)})
    return [data[a:b] for a, b in itertools.pairwise(points)]


def framed(status: int, body: bytes, how: str, retry: str | None, interim: int) -> bytes:
    lines = [f"HTTP/1.1 {status} Reason"]
    if retry is not None:
        lines.append(f"reTry-After: {retry}")
    if how == "length":
        lines.append(f"Content-Length: {len(body)}")
        end = body
    else:
        lines.append("Transfer-Encoding: chunked")
        end = (
            b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]) if part)
            + b"0\r\n\r\n"
        )
    head = b"HTTP/1.1 100 Continue\r\nRetry-After: 99\r\n\r\n" * interim
    return head + "\r\n".join(lines).encode() + b"\r\n\r\n" + end


@given(
    status=st.sampled_from([200, 201, 202, 302, 400, 404, 410, 429, 500, 503, 999]),
    body=st.binary(max_size=200),
    how=st.sampled_from(["length", "chunked"]),
    retry=st.one_of(st.none(), st.integers(0, 10**6).map(str)),
    interim=st.integers(0, 3),
    at=st.lists(st.integers(0, 10**6), max_size=30),
)
def test_an_answer_is_the_same_in_any_pieces(
    status: int, body: bytes, how: str, retry: str | None, interim: int, at: list[int]
) -> None:
    outcome, connection, wire = fed(*cut(framed(status, body, how, retry, interim), at))
    assert outcome == Reply(status, retry, body)
    assert connection.reusable
    assert not wire.gone


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_any_bytes_give_an_answer_or_no_answer(pieces: list[bytes]) -> None:
    outcome, connection, _ = fed(*pieces)
    assert outcome is None or isinstance(outcome, Reply | NoAnswer)
    assert not (isinstance(outcome, NoAnswer) and connection.reusable)


@given(st.binary(min_size=1, max_size=60), st.lists(st.integers(0, 10**6), max_size=9))
def test_bytes_after_an_answer_end_the_connection(more: bytes, at: list[int]) -> None:
    outcome, connection, wire = fed(*cut(b"HTTP/1.1 204 No Content\r\n\r\n" + more, at))
    assert outcome == Reply(204, None, b"")
    # The parser accepts line ends before a next answer.
    if more.strip(b"\r\n"):
        assert wire.gone
        assert not connection.reusable


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", Reply(200, None, b"ok")),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", Reply(200, None, b"ok")),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nabc", Reply(101, None, b"")),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000,
            Reply(200, None, b"x" * BODY_BYTES),
        ),
        (b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Reply(500, None, b"")),
    ],
)
def test_answers_after_which_the_connection_is_closed(data: bytes, reply: Reply) -> None:
    outcome, connection, wire = fed(data)
    assert outcome == reply
    assert not connection.reusable
    assert wire.gone


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\n\n",
        b"HTTP/1.0 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nFolded: a\r\n b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nOdd: \xe9\xff\r\n\r\n",
        b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0 \n\n",
    ],
)
def test_a_simple_receivers_answer_is_parsed(data: bytes) -> None:
    def act(connection: Connection, wire: Wire) -> None:
        connection.received(data)
        connection.connection_lost(None)

    outcome, _, _ = exchanged(act)
    assert isinstance(outcome, Reply)
    assert outcome.status == 200


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-", "closed the connection without an answer"),
        (b"", "closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not an HTTP answer"),
        (b"HTTP/1.1 000 Zero\r\n\r\n", "not an HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "not an HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * HEAD_BYTES, "headers are too long"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 2000, "headers are too long"),
    ],
)
def test_no_answer_says_why(data: bytes, text: str) -> None:
    def act(connection: Connection, wire: Wire) -> None:
        connection.received(data) if data else None
        connection.connection_lost(None)

    outcome, _, _ = exchanged(act)
    assert isinstance(outcome, NoAnswer)
    assert text in str(outcome)


def test_a_body_without_an_end_is_cut_and_the_status_stands() -> None:
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1;" + b"e" * (2 * HEAD_BYTES)
    outcome, _, wire = fed(*cut(endless, list(range(0, len(endless), 1000))))
    assert outcome == Reply(200, None, b"")
    assert wire.gone


def test_the_end_of_the_connection_is_the_end_of_a_body_without_a_length() -> None:
    def act(connection: Connection, wire: Wire) -> None:
        connection.received(b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\n\r\nlater")
        connection.connection_lost(ConnectionResetError())

    assert exchanged(act)[0] == Reply(503, "3", b"later")


@pytest.mark.parametrize("length", [10, 30_000, 200_000])
def test_a_kept_retry_after_is_bounded(length: int) -> None:
    head = b"HTTP/1.1 503 Busy\r\nRetry-After: " + b"9" * length + b"\r\nContent-Length: 0\r\n\r\n"
    reply, _, _ = fed(head)
    assert isinstance(reply, Reply)
    assert reply.retry_after == "9" * min(length, RETRY_AFTER_BYTES)


def test_a_body_in_many_pieces_takes_no_more_memory_than_one_in_one_piece() -> None:
    body = b"x" * BODY_BYTES
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    reply, connection, _ = fed(head, *(b"x" for _ in body[:-1]))
    assert reply is None, "the last byte has not arrived"
    assert sys.getsizeof(connection._body) < 2 * BODY_BYTES
