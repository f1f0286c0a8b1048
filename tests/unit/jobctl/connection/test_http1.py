"""HTTP framing over a real pair of sockets: any split of the bytes reads the same, and a cut is never an end."""

import socket
import threading
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobctl.connection.http1 import BadAnswer, receive, send

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: x\r\n"


def answered(pieces: Any) -> Any:
    """What a client reads where the peer sends these pieces and closes."""
    ours, theirs = socket.socketpair()
    ours.settimeout(5)

    def play() -> None:
        # what comes after the end of a body, such as the last line break of chunks, need not be read
        with theirs, suppress(BrokenPipeError):
            for piece in pieces:
                theirs.sendall(piece)

    player = threading.Thread(target=play)
    player.start()
    try:
        answer = receive(ours)
        return answer.status, b"".join(answer.blocks())
    finally:
        ours.close()
        player.join(5)


def chunked(parts: Any) -> Any:
    return b"".join(b"%x;ext=1\r\n%b\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"


def cut_up(data: Any, places: Any) -> Any:
    at = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(at)]


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=50), max_size=5), st.lists(st.integers(0, 10_000), max_size=8))
def test_chunks_are_read_independent_of_packets(parts: Any, places: Any) -> None:
    data = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(parts)
    assert answered(cut_up(data, places)) == (200, b"".join(parts))


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=50), st.booleans(), st.data())
def test_a_cut_body_is_an_error(body: Any, as_chunks: Any, data: Any) -> None:
    if as_chunks:
        whole = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked([body])
        whole = whole[:-2]
    else:
        whole = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    length = data.draw(st.integers(0, len(whole) - (3 if as_chunks else 1)))
    with pytest.raises(BadAnswer):
        answered([whole[:length]])


def test_other_framings_of_bodies_are_read_or_refused() -> None:
    assert answered([HEAD + b"Content-Length: 3\r\n\r\nabc"]) == (200, b"abc")
    assert answered([HEAD + b"\r\nuntil closed"]) == (200, b"until closed")
    assert answered([b"HTTP/1.1 204 No Content\r\n\r\n"]) == (204, b"")
    assert answered([b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"]) == (
        404,
        b"",
    )


@pytest.mark.parametrize(
    ("data", "ends"),
    [
        (HEAD + b"Content-Length: 3\r\n\r\nabc", False),
        (HEAD + b"Content-Length: 0\r\n\r\n", False),
        (HEAD + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc", True),
        (HEAD + b"Content-Length: 3\r\n\r\nabcd", True),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"0\r\n\r\n", True),
        (HEAD + b"\r\nuntil closed", True),
    ],
)
def test_a_connection_is_kept_only_after_a_body_with_a_length(data: bytes, ends: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        answer = receive(ours)
        assert answer.ends_connection, "the body is unread"
        list(answer.blocks())
        assert answer.ends_connection == ends


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 2000,
        b"x" * 200_000,
    ],
)
def test_invalid_answers_are_refused(data: Any) -> None:
    with pytest.raises((BadAnswer, ConnectionError)):
        answered([data])


def test_requests_have_their_bytes() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(ours, "GET", "/a?b=c", {"Host": "h"}, None)
        assert theirs.recv(1000) == b"GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n"
        send(ours, "POST", "/", {}, None)
        assert theirs.recv(1000) == b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
        send(ours, "POST", "/", {}, b"xy")
        assert theirs.recv(1000).endswith(b"Content-Length: 2\r\n\r\nxy")
        send(ours, "POST", "/", {}, iter([b"abc", b"", b"d"]))
        assert theirs.recv(1000).endswith(b"chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n")
        for address, headers in (("/a b", {}), ("/", {"X": "a\r\nY: b"}), ("/\n", {})):
            with pytest.raises(ValueError):
                send(ours, "GET", address, headers, None)
