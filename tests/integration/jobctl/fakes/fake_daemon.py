"""A fake daemon: real HTTP over a real Unix socket, with jobs that the test controls.

The daemon runs in its own thread, so that tests can start `jobctl` as a program and send signals to it.
"""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.integration.jobctl.fakes.fake_deliveries import FakeDeliveries
from tests.integration.jobctl.fakes.fake_files import FakeFiles
from tests.integration.jobctl.fakes.fake_job import TERMINAL, FakeJob
from tests.integration.jobctl.fakes.fake_sets import FakeSets

DEADLINE_S = 60.0


class FakeDaemon:
    """The daemon. `on_submit`: called for each new job; `cut_after`: breaks each log stream after so many lines; `unknown_parameter`: a
    query parameter that its logs refuse; `trickle`: sends files slowly and without an end; `close_after_submit`: closes the connection
    after the answer to a submission. `hang_on_delete`: the job whose deletion has no answer. `pauses`: the paths and bodies of all requests to pause or resume. `connections`: the connection of each request.
    """

    def __init__(self, socket_path: Path) -> None:
        self.socket_path = socket_path
        self.jobs: dict[str, FakeJob] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.on_submit: Callable[[FakeJob], None] = lambda job: None
        self.on_cancel: Callable[[FakeJob], None] = lambda job: job.end(143, "cancelled", "cancelled")
        self.cut_after: int | None = None
        self.lose_answers = 0
        self.refuse: tuple[int, dict[str, Any]] | None = None
        self.followers = 0
        self.unknown_parameter = ""
        self.trickle = False
        self.close_after_submit = False
        self.hang_on_delete = ""
        self.hanging = False
        self.connections: list[object] = []
        self.paused = False
        self.pauses: list[tuple[str, str]] = []
        self.sets = FakeSets(self)
        self._news = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def start(self) -> None:
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(DEADLINE_S)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(DEADLINE_S)

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE_S)
        self._loop.close()

    def make(self, job_id: str) -> FakeJob:
        job = self.jobs[job_id] = FakeJob(self, {"id": job_id, "image": "busybox"})
        return job

    def changed(self) -> None:
        def wake() -> None:
            self._news.set()
            self._news = asyncio.Event()

        self._loop.call_soon_threadsafe(wake)

    async def _start(self) -> None:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_get("/v1/version", self._version)
        app.router.add_get("/readyz", self._ready)
        app.router.add_post("/v1/jobs", self._submit)
        app.router.add_get("/v1/jobs", self._list)
        app.router.add_get("/v1/jobs/{id}", self._show)
        app.router.add_delete("/v1/jobs/{id}", self._delete)
        app.router.add_post("/v1/jobs/{id}/cancel", self._cancel)
        app.router.add_post("/v1/jobs/{id}/{change:pause|resume}", self._pause_job)
        app.router.add_post("/v1/{what:queue|groups/[^/]+}/{change:pause|resume}", self._pause)
        app.router.add_get("/v1/queue", self._queue)
        app.router.add_get("/v1/jobs/{id}/logs", self._logs)
        self.sets.add_routes(app)
        FakeFiles(self).add_routes(app)
        FakeDeliveries(self).add_routes(app)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.socket_path)).start()
        self.socket_path.chmod(0o600)

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def seen(self, request: web.Request) -> None:
        self.requests.append((request.method, request.path_qs, dict(request.headers)))
        self.connections.append(request.transport)

    async def _version(self, request: web.Request) -> web.Response:
        engine = {"name": "docker", "version": "20.10", "apiVersion": "1.41"}
        return web.json_response(
            {
                "version": "0",
                "instance": "test",
                "engine": engine,
                "sidecarImage": "s",
                "sidecarImagePresent": True,
                "remedies": {"engine-unreachable": ["start it, for instance: sudo systemctl start docker"]},
            }
        )

    async def _ready(self, request: web.Request) -> web.Response:
        if self.refuse:
            return web.json_response(
                {"status": "unhealthy", "checks": {"engine": "unreachable: no socket"}}, status=503
            )
        return web.json_response({"status": "healthy", "checks": {"engine": "healthy"}})

    async def _submit(self, request: web.Request) -> web.StreamResponse:
        self.seen(request)
        uploaded = b""
        if request.content_type == "multipart/form-data":
            parts = await request.post()
            spec = json.loads(await _part(parts["spec"]))
            uploaded = await _part(parts["files"])
        else:
            spec = await request.json()
        if self.refuse:
            return web.json_response(self.refuse[1], status=self.refuse[0])
        if "dryRun" in request.query:
            return web.json_response({"valid": True})
        known = self.jobs.get(spec["id"])
        if known is None:
            job = self.jobs[spec["id"]] = FakeJob(self, spec, uploaded=uploaded)
            self.on_submit(job)
        elif "Idempotency-Key" not in request.headers or known.spec != spec:
            return web.json_response(
                {"error": "the id is in use", "code": "conflict", "field": "id"}, status=409
            )
        if self.lose_answers:
            self.lose_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        if known is not None:
            return web.json_response(known.view())
        answer = web.json_response({"id": spec["id"], "status": "accepted", "uid": "u"}, status=202)
        if self.close_after_submit:
            await answer.prepare(request)
            await answer.write_eof()
            assert request.transport is not None
            request.transport.close()
        return answer

    def job_of(self, request: web.Request) -> FakeJob:
        job = self.jobs.get(request.match_info["id"])
        if job is None:
            text = json.dumps({"error": "no such job", "code": "not-found"})
            raise web.HTTPNotFound(text=text, content_type="application/json")
        return job

    async def _list(self, request: web.Request) -> web.Response:
        self.seen(request)
        jobs = list(reversed(self.jobs.values()))
        if "prefix" in request.query:
            jobs = [job for job in jobs if job.spec["id"].startswith(request.query["prefix"])]
        if "set" in request.query:
            jobs = [job for job in jobs if job.spec.get("set") == request.query["set"]]
        if "status" in request.query:
            jobs = [job for job in jobs if job.status in request.query["status"].split(",")]
        start, limit = int(request.query.get("cursor", 0)), int(request.query.get("limit", 100))
        page: dict[str, Any] = {"jobs": [job.view() for job in jobs[start : start + limit]]}
        if len(jobs) > start + limit:
            page["next"] = str(start + limit)
        return web.json_response(page)

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(self.job_of(request).view())

    async def _delete(self, request: web.Request) -> web.Response:
        if request.match_info["id"] == self.hang_on_delete:
            self.hanging = True
            await asyncio.sleep(DEADLINE_S)
        del self.jobs[self.job_of(request).spec["id"]]
        self.changed()
        return web.Response(status=204)

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self.job_of(request)
        text = await request.text()
        job.cancels.append(json.loads(text) if text else {})
        self.on_cancel(job)
        return web.json_response({"id": job.spec["id"], "status": "cancelling"}, status=202)

    async def _pause_job(self, request: web.Request) -> web.Response:
        job = self.job_of(request)
        job.extra["paused"] = request.match_info["change"] == "pause"
        self.pauses.append((request.path, await request.text()))
        return web.json_response(job.view())

    async def _pause(self, request: web.Request) -> web.Response:
        self.pauses.append((request.path, await request.text()))
        self.paused = request.match_info["change"] == "pause"
        return await self._queue(request)

    async def _queue(self, request: web.Request) -> web.Response:
        state = {"limit": 2, "running": 1, "waiting": 2, "paused": self.paused, "groups": []}
        return web.json_response({**state, "name": "gpu"})

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        try:
            return await self._send_log(request, response)
        except ConnectionError:  # the client has left
            return response

    async def _send_log(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        self.seen(request)
        job = self.job_of(request)
        if self.unknown_parameter in request.query:
            text = json.dumps(
                {"error": "unknown parameter", "code": "invalid", "field": self.unknown_parameter}
            )
            raise web.HTTPBadRequest(text=text, content_type="application/json")
        follow, after = request.query.get("follow") == "1", int(request.query.get("after", 0))
        if "tail" in request.query:
            after = max(after, len(job.lines) - int(request.query["tail"]))
        await response.prepare(request)
        sent = 0
        self.followers += follow
        while True:
            news = self._news
            for line in [line for line in job.lines if line["seq"] > after]:
                after = line["seq"]
                if request.query.get("stream") in (None, line["stream"]):
                    await response.write(json.dumps(line).encode() + b"\n")
                sent += 1
                if self.cut_after is not None and sent >= self.cut_after:
                    assert request.transport is not None
                    await response.write(b'{"seq":')
                    request.transport.abort()
                    return response
            if job.status in TERMINAL:
                end = {"status": job.status, "exitCode": job.exit_code, "reason": job.reason}
                await response.write(json.dumps({"end": end}).encode() + b"\n")
                break
            if not follow:
                break
            await response.write(b"\n")
            await news.wait()
        await response.write_eof()
        return response


async def _part(part: Any) -> bytes:
    content: Any = part.file.read() if isinstance(part, web.FileField) else part
    return bytes(content) if isinstance(content, bytes | bytearray) else str(content).encode()
