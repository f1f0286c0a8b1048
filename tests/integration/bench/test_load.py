"""The load generator of the benchmark against the bare handler of the benchmark, over a real socket."""

from pathlib import Path

import pytest
from aiohttp import web

from scripts.bench.reads import constant_server
from scripts.bench.support.load import LoadFailed, requests_per_s


async def test_each_target_is_requested_once(tmp_path: Path) -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=b"x" * 100_000)

    runner = await served(handler, tmp_path / "socket")
    targets = [f"/{number}" for number in range(50)]
    assert await requests_per_s(tmp_path / "socket", targets, 4) > 0
    assert sorted(asked) == sorted(targets)
    await runner.cleanup()


@pytest.mark.parametrize("status", [404, 500])
async def test_a_refused_request_is_an_error(status: int, tmp_path: Path) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status)

    runner = await served(handler, tmp_path / "socket")
    with pytest.raises(LoadFailed, match=str(status)):
        await requests_per_s(tmp_path / "socket", ["/a", "/b"], 2)
    await runner.cleanup()


async def test_the_bare_handler_responds_with_the_given_bytes() -> None:
    with constant_server(b'{"id":"a"}') as socket:
        assert await requests_per_s(socket, ["/v1/jobs/a", "/v1/jobs/b"], 2) > 0


async def served(handler: object, socket: Path) -> web.AppRunner:
    app = web.Application()
    app.router.add_get("/{name}", handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(socket)).start()
    return runner
