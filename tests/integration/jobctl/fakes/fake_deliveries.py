"""The deliveries and events of the fake daemon: one of each."""

import json
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from tests.integration.jobctl.fakes.fake_daemon import FakeDaemon


class FakeDeliveries:
    """The endpoints of deliveries and events."""

    def __init__(self, daemon: "FakeDaemon") -> None:
        self._daemon = daemon

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/v1/jobs/{id}/deliveries", self._deliveries)
        app.router.add_post("/v1/deliveries/{id}/replay", self._replay)
        app.router.add_post("/v1/jobs/{id}/deliveries/replay", self._replay_all)
        app.router.add_get("/v1/events", self._events)

    async def _deliveries(self, request: web.Request) -> web.Response:
        entry = {
            "id": 7,
            "eventId": "e",
            "eventType": "orchestrator.job.exit",
            "state": "parked",
            "attempts": 3,
            "lastStatus": 400,
        }
        return web.json_response({"deliveries": [entry]})

    async def _replay(self, request: web.Request) -> web.Response:
        self._daemon.seen(request)
        return web.json_response({"id": int(request.match_info["id"])}, status=202)

    async def _replay_all(self, request: web.Request) -> web.Response:
        self._daemon.seen(request)
        self._daemon.job_of(request)
        return web.json_response({"replayed": 3}, status=202)

    async def _events(self, request: web.Request) -> web.Response:
        data = {"jobId": "a", "exitCode": 3}
        event = {
            "type": "orchestrator.job.exit",
            "id": "e-1",
            "subject": "a",
            "time": "2030-01-31T08:00:00Z",
            "data": data,
        }
        return web.Response(
            body=json.dumps({"seq": 4, "event": event}).encode() + b"\n\n",
            content_type="application/x-ndjson",
        )
