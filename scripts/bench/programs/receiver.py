"""A receiver of callbacks in a process of its own, for the benchmarks: as little work as possible, so that the senders are measured.

`python -m scripts.bench.programs.receiver` prints its port. `POST /hook` is answered 204 and its events are counted; `GET /count` gives the
number; `POST /silent` is never answered.
"""

import asyncio

EVENT_MARK = b'"specversion":'
"""Occurs once per event: an array counts as many events as it has."""
TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"


class Receiving(asyncio.Protocol):
    """One connection. Requests come one after the other and have a Content-Length."""

    count = 0

    def __init__(self) -> None:
        self._got = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        while (end := self._got.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._got[:end]).lower()
            _, _, length = head.partition(b"\r\ncontent-length:")
            size = end + 4 + int(length.partition(b"\r\n")[0] or 0)
            if len(self._got) < size:
                return
            body = self._got[end + 4 : size]
            del self._got[:size]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytearray) -> None:
        if head.startswith(b"post /hook "):
            Receiving.count += body.count(EVENT_MARK)
            self._transport.write(TAKEN)
        elif head.startswith(b"get /count "):
            text = str(Receiving.count).encode()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Receiving, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
