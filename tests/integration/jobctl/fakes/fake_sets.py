"""The endpoints of sets and groups of the fake daemon."""

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.integration.jobctl.fakes.fake_job import TERMINAL, FakeJob

if TYPE_CHECKING:
    from tests.integration.jobctl.fakes.fake_daemon import FakeDaemon


class FakeSets:
    """Sets of the daemon's jobs. `groups`: the body of each group that was set."""

    def __init__(self, daemon: "FakeDaemon") -> None:
        self._daemon = daemon
        self.groups: dict[str, Any] = {}

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/v1/sets", self._list)
        app.router.add_get("/v1/sets/{id}", self._show)
        app.router.add_post("/v1/sets/{id}/cancel", self._cancel)
        app.router.add_put("/v1/groups/{name}", self._put_group)

    def of(self, name: str) -> list[FakeJob]:
        return [job for job in self._daemon.jobs.values() if job.spec.get("set") == name]

    def view(self, name: str) -> dict[str, Any]:
        statuses = [job.status for job in self.of(name)]
        view = {one: statuses.count(one) for one in ("running", *TERMINAL)}
        return {"id": name, "total": len(statuses), "waiting": 0, **view, "createdAt": "2030-01-31T08:00:00Z"}

    async def _list(self, request: web.Request) -> web.Response:
        sets = dict.fromkeys(job.spec.get("set") for job in reversed(self._daemon.jobs.values()))
        names = [name for name in sets if name]
        start, limit = int(request.query.get("cursor", 0)), int(request.query.get("limit", 100))
        page: dict[str, Any] = {"sets": [self.view(name) for name in names[start : start + limit]]}
        if len(names) > start + limit:
            page["next"] = str(start + limit)
        return web.json_response(page)

    async def _show(self, request: web.Request) -> web.Response:
        self._daemon.seen(request)
        name = request.match_info["id"]
        if not self.of(name):
            return web.json_response({"error": f"no set {name!r}", "code": "not-found"}, status=404)
        return web.json_response(self.view(name))

    async def _cancel(self, request: web.Request) -> web.Response:
        self._daemon.seen(request)
        text = await request.text()
        active = [job for job in self.of(request.match_info["id"]) if job.status not in TERMINAL]
        for job in active:
            job.cancels.append(json.loads(text) if text else {})
            self._daemon.on_cancel(job)
        return web.json_response(
            {"id": request.match_info["id"], "status": "cancelling", "jobs": len(active)}, status=202
        )

    async def _put_group(self, request: web.Request) -> web.Response:
        self._daemon.seen(request)
        self.groups[request.match_info["name"]] = await request.json()
        return web.json_response({"name": request.match_info["name"], "running": 0, "waiting": 0})
