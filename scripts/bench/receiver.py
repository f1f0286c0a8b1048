"""A receiver of callbacks in a process of its own, for the benchmarks: answers 204, counts, or never answers.

`python -m scripts.bench.receiver` prints its port. `POST /hook` is counted by the requests' bodies: an array counts as many
events as it has. `GET /count` gives the number; `POST /silent` is never answered.
"""

import asyncio
import json

from aiohttp import web

BATCH = "application/cloudevents-batch+json"


async def serve() -> None:
    count = 0

    async def hook(request: web.Request) -> web.Response:
        nonlocal count
        body = await request.read()
        count += len(json.loads(body)) if request.content_type == BATCH else 1
        return web.Response(status=204)

    async def counted(_: web.Request) -> web.Response:
        return web.json_response(count)

    async def silent(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise web.HTTPGatewayTimeout

    app = web.Application(client_max_size=8 << 20)
    app.router.add_post("/hook", hook)
    app.router.add_post("/silent", silent)
    app.router.add_get("/count", counted)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
