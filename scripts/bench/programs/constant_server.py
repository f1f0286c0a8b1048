"""A handler of bare aiohttp that responds with constant bytes, in a process of its own: the other side of P6.

`python -m scripts.bench.programs.constant_server SOCKET FILE` serves the bytes of FILE at `/v1/jobs/{id}` on a Unix socket, and prints a
line once the socket listens.
"""

import asyncio
import sys
from pathlib import Path

from aiohttp import web


async def serve(socket: str, body: bytes) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/v1/jobs/{id}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, socket).start()
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2]).read_bytes()))
