"""An upload whose files arrive slowly: the budget counts its memory meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from jobd.api.memory import reserve_body
from jobd.api.upload import CHUNK_BYTES, receive_multipart
from jobd.budget import ByteBudget

DEADLINE_S = 60.0
LIMIT = 4 << 20
SPEC = b'{"id":"a","image":"b"}'


async def test_the_part_of_the_files_that_is_under_way_is_counted(tmp_path: Path) -> None:
    bodies = ByteBudget(LIMIT)

    async def answer(request: web.Request) -> web.Response:
        async with reserve_body(bodies, None) as reservation:
            received = await receive_multipart(request, tmp_path, 1 << 30, reservation)
            assert received.files is not None
            return web.Response(text=str(received.files.stat().st_size))

    go_on = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="spec"\r\n\r\n' + SPEC + b"\r\n"
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="f"\r\n\r\n'
        yield b"f" * CHUNK_BYTES
        await go_on.wait()
        yield b"\r\n--x--\r\n"

    app = web.Application()
    app.router.add_post("/", answer)
    async with TestClient(TestServer(app)) as client, asyncio.timeout(DEADLINE_S):
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        sending = asyncio.create_task(client.post("/", data=body(), headers=headers))
        while not list(tmp_path.iterdir()):
            await asyncio.sleep(0.01)
        assert bodies.reserved_bytes == len(SPEC) + CHUNK_BYTES
        go_on.set()
        answered = await sending
        assert await answered.text() == str(CHUNK_BYTES)
    assert bodies.reserved_bytes == 0
