"""The files of the fake daemon's jobs, whole or slowly and without an end."""

import asyncio
import io
import tarfile
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from tests.integration.jobctl.fakes.fake_daemon import FakeDaemon


class FakeFiles:
    """The endpoint of files."""

    def __init__(self, daemon: "FakeDaemon") -> None:
        self._daemon = daemon

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/v1/jobs/{id}/files", self._files)

    async def _files(self, request: web.Request) -> web.StreamResponse:
        path = request.query["path"]
        if self._daemon.trickle:
            return await self._send_slowly(request, path)
        base = path.rstrip("/").rpartition("/")[2] if path != "." else "workspace"
        found = io.BytesIO()
        any_file = False
        with tarfile.open(fileobj=found, mode="w") as archive:
            for name, content in self._daemon.job_of(request).files.items():
                inner = name if path == "." else name.removeprefix(path.rstrip("/")).lstrip("/")
                if path == "." or name == path or name.startswith(path.rstrip("/") + "/"):
                    any_file = True
                    info = tarfile.TarInfo(f"{base}/{inner}" if inner else base)
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
        if not any_file:
            return web.json_response({"error": f"no file {path!r}", "code": "not-found"}, status=404)
        return web.Response(body=found.getvalue(), content_type="application/x-tar")

    async def _send_slowly(self, request: web.Request, name: str) -> web.StreamResponse:
        self._daemon.job_of(request)
        info = tarfile.TarInfo(name)
        info.size = 1 << 30
        response = web.StreamResponse(headers={"Content-Type": "application/x-tar"})
        await response.prepare(request)
        try:
            await response.write(info.tobuf())
            while True:
                await response.write(b"x" * 4096)
                await asyncio.sleep(0.05)
        except ConnectionError:  # the client has left
            return response
