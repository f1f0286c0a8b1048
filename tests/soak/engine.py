"""The observer's own view of the engine: the events of its containers, and the existing containers and volumes."""

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import docker

from scripts.engine_client import connect
from tests.soak.records import Happened, OnEngine, Records

SILENCE_S = 4 * 3600
ACTIONS = ["start", "die", "kill", "oom", "destroy"]


class EngineObserver:
    """Listens until `close`. `instance`: the label of the jobd under test, empty until known. `listens`: False once the stream of
    the engine's events has broken off; then starts are not counted.
    """

    def __init__(self, records: Records, now: Callable[[], float]) -> None:
        self.instance = ""
        self._records, self._now = records, now
        self._client: docker.DockerClient = connect()
        self._listener: docker.DockerClient = connect(SILENCE_S)
        self.listens = True
        filters = {"type": "container", "label": "managed-by=jobs-service", "event": ACTIONS}
        self._events = self._listener.events(decode=True, filters=filters)
        threading.Thread(target=self._listen, daemon=True).start()

    def look(self) -> OnEngine:
        """Records and returns the jobs that have a container or a volume."""
        wanted: dict[str, Any] = {"label": [f"job.instance={self.instance}", "job.id"]}
        containers = self._client.api.containers(all=True, filters=wanted)
        volumes = self._client.api.volumes(filters=wanted)["Volumes"] or []
        ids = frozenset((thing["Labels"] or {}).get("job.id", "?") for thing in [*containers, *volumes])
        seen = OnEngine(self._now(), ids)
        self._records.engine.append(seen)
        return seen

    def close(self) -> None:
        with contextlib.suppress(Exception):  # the connection may be in use by the listener
            self._events.close()
        self._client.close()
        self._listener.close()

    @property
    def api(self) -> docker.APIClient:
        return self._client.api

    def _listen(self) -> None:
        with contextlib.suppress(Exception):  # closed
            for event in self._events:
                self._take(event)
        self.listens = False

    def _take(self, event: dict[str, Any]) -> None:
        about = event["Actor"]["Attributes"]
        if (self.instance and about.get("job.instance") != self.instance) or "job.id" not in about:
            return
        code = about.get("exitCode")
        if event["Action"] == "start" and about.get("job.type") == "worker":
            self._records.started.add(about.get("job.id", ""))
        self._records.happened.append(
            Happened(
                at_s=self._now(),
                action=event["Action"],
                role=about.get("job.type", ""),
                job_id=about.get("job.id", ""),
                uid=about.get("job.uid", ""),
                attempt=int(about.get("job.attempt", "0")),
                container=event["Actor"]["ID"],
                code=None if code is None else int(code),
            )
        )
