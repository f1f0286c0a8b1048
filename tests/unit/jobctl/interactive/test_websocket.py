"""The frames of jobctl's WebSocket, against aiohttp's reader and writer as the other side."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader

from jobctl.errors import ConnectionLost
from jobctl.interactive.websocket import CLOSED_EARLY, Closed, WebSocket
from jobd.wire import channel


class Reading:
    """Stands for the protocol whose reading is paused."""

    _reading_paused = False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


@pytest.fixture
def pair() -> Iterator[tuple[WebSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield WebSocket(ours, b""), theirs
    ours.close()
    theirs.close()


def frame(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes([0x80 | opcode, size]) + payload
    if size < 1 << 16:
        return bytes([0x80 | opcode, 126]) + size.to_bytes(2, "big") + payload
    return bytes([0x80 | opcode, 127]) + size.to_bytes(8, "big") + payload


@pytest.mark.parametrize("size", [0, 1, 3, 125, 126, 1000, 65534, 65535])
async def test_aiohttp_reads_what_jobctl_sends(pair: tuple[WebSocket, socket.socket], size: int) -> None:
    ours, theirs = pair
    data = bytes(range(256)) * (size // 256 + 1)
    ours.put(channel.STDIN, data[:size])
    received = b""
    while ours.unsent_bytes:
        ours.flush()
        received += theirs.recv(1 << 20)
    queue: Any = WebSocketDataQueue(Reading(), 1 << 20, loop=asyncio.get_running_loop())  # type: ignore[arg-type]
    WebSocketReader(queue, 1 << 20, compress=False, decode_text=True).feed_data(received)
    message = await queue.read()
    assert message.data == bytes([channel.STDIN]) + data[:size]


def test_messages_are_found_in_any_pieces(pair: tuple[WebSocket, socket.socket]) -> None:
    ours, theirs = pair
    sent = frame(2, b"\x01one") + frame(9, b"ping") + frame(2, b"\x02" + b"x" * 200) + frame(2, b"")
    got: list[tuple[int, bytes]] = []
    for at in range(len(sent)):
        theirs.send(sent[at : at + 1])
        got += ours.receive()
    assert got == [(1, b"one"), (2, b"x" * 200)]
    assert ours.receive() == []
    assert ours.unsent_bytes, "the answer to the ping"


def test_what_came_before_a_close_is_returned_first(pair: tuple[WebSocket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.send(frame(2, b"\x01last") + frame(8, (1001).to_bytes(2, "big") + b"why"))
    assert ours.receive() == [(1, b"last")]
    assert ours.has_more
    with pytest.raises(Closed) as closed:
        ours.receive()
    assert closed.value.code == channel.STOPPING


def test_the_end_of_the_connection_without_a_close_is_told_apart(
    pair: tuple[WebSocket, socket.socket],
) -> None:
    ours, theirs = pair
    theirs.send(frame(2, b"\x01cut")[:-1])
    theirs.close()
    assert ours.receive() == []
    with pytest.raises(Closed) as closed:
        ours.receive()
    assert closed.value.code == CLOSED_EARLY


@pytest.mark.parametrize("head", [b"\x82\x81\0\0\0\0\0", b"\x82\x7f" + (1 << 40).to_bytes(8, "big")])
def test_an_invalid_frame_is_refused(pair: tuple[WebSocket, socket.socket], head: bytes) -> None:
    ours, theirs = pair
    theirs.send(head)
    with pytest.raises(ConnectionLost, match="invalid frame"):
        ours.receive()


def test_a_socket_that_takes_nothing_keeps_the_rest(pair: tuple[WebSocket, socket.socket]) -> None:
    ours, theirs = pair
    piece = b"x" * channel.PIECE_BYTES
    while True:
        ours.put(channel.STDIN, piece)
        ours.flush()
        if ours.unsent_bytes:
            break
    before = ours.unsent_bytes
    ours.flush()
    assert ours.unsent_bytes == before
    while ours.unsent_bytes:
        theirs.recv(1 << 20)
        ours.flush()
    assert ours.unsent_bytes == 0
