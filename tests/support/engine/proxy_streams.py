"""Forwards HTTP messages between two streams: bodies, heads, and both directions at once."""

import asyncio
import contextlib
import re

PIECE_BYTES = 64 * 1024


async def forward_body(reader: asyncio.StreamReader, head: bytes, out: asyncio.StreamWriter | None) -> None:
    """Forwards a request's body unchanged."""
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    if length is not None:
        left = int(length[1])
        while left:
            piece = await reader.read(min(left, PIECE_BYTES))
            if not piece:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(piece)
            await write(out, piece)
    elif re.search(rb"\r\ntransfer-encoding: *chunked", head, re.IGNORECASE):
        size = -1
        while size:
            line = await reader.readuntil(b"\r\n")
            size = int(line, 16)
            await write(out, line + await reader.readexactly(size + 2))


async def forward_beginning(source: asyncio.StreamReader, target: asyncio.StreamWriter, left: int) -> None:
    """Forwards the head of a chunked answer and the first `left` bytes of its body."""
    await write(target, await source.readuntil(b"\r\n\r\n"))
    while left and (size := int(await source.readuntil(b"\r\n"), 16)):
        piece = (await source.readexactly(size + 2))[: min(size, left)]
        await write(target, b"%x\r\n%s\r\n" % (len(piece), piece))
        left -= len(piece)


async def write(out: asyncio.StreamWriter | None, data: bytes) -> None:
    if out is not None:
        out.write(data)
        await out.drain()


async def forward(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(PIECE_BYTES):
        target.write(piece)
        await target.drain()


async def forward_both(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    back: asyncio.StreamReader,
    out: asyncio.StreamWriter,
) -> None:
    """Forwards bytes and ends in both directions until both have ended."""

    async def upwards() -> None:
        await forward(reader, out)
        with contextlib.suppress(OSError):
            out.write_eof()

    up, down = asyncio.create_task(upwards()), asyncio.create_task(forward(back, writer))
    try:
        await down
    finally:
        up.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
