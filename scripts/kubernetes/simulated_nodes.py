"""Nodes that are only simulated: the API server, its store and the scheduler are real, and no container runs.

A simulated node takes the Pods that the scheduler gives it, reports that they run, and some seconds later that they have succeeded. It has
the part of a kubelet's HTTP API that returns logs: each worker has printed one line.

Source: Kubernetes documentation, "Nodes"; Kubernetes API v1, PodStatus.
"""

import asyncio
import contextlib
import json
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from jobd.jobs.port.errors import EngineUnavailable
from jobd.kubernetes.http.client import MERGE_PATCH, Client
from jobd.kubernetes.http.errors import ApiError
from jobd.kubernetes.mapping.labels import MANAGED_BY, SERVICE
from scripts.kubernetes.places import GATEWAY, KEYS, NODE

NODES, PODS_A_NODE = 10, 400
LOGS_PORT = 10251
HEARTBEAT_S, PAUSE_S = 10.0, 0.5
NAMES = [f"simulated-{number}" for number in range(NODES)]
MANAGED = f"{MANAGED_BY}={SERVICE}"
_CONDITIONS = ("Initialized", "Ready", "ContainersReady", "PodReadyToStartContainers")


class SimulatedNodes:
    """All nodes, and their kubelets. `runs_s`: how long each container seems to run."""

    def __init__(self, client: Client, runs_s: float) -> None:
        self._client = client
        self._runs_s = runs_s
        self._begun: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: dict[str, asyncio.Event] = {}
        """Set when a Pod's worker has ended, by the Pod's name."""
        self._running = 0
        self.most_at_once = 0

    @contextlib.asynccontextmanager
    async def simulated(self) -> AsyncIterator[None]:
        """Creates the nodes and simulates their kubelets; deletes the nodes at the end. The real node takes no further Pod meanwhile."""
        try:
            await self._add()
            async with self._logs(), asyncio.TaskGroup() as kubelets:
                tasks = [
                    kubelets.create_task(_again(self._beat, HEARTBEAT_S)),
                    kubelets.create_task(_again(self._watch, PAUSE_S)),
                ]
                yield
                for task in tasks:
                    task.cancel()
        finally:
            await self._remove()

    async def _add(self) -> None:
        await self._real(unschedulable=True)
        for name in NAMES:
            body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
            with contextlib.suppress(ApiError):
                await self._client.call("node", "POST", "/api/v1/nodes", body=body)
        await self._beat()

    async def _remove(self) -> None:
        await self._real(unschedulable=False)
        for name in NAMES:
            with contextlib.suppress(ApiError):
                await self._client.call("node", "DELETE", f"/api/v1/nodes/{name}")

    async def _watch(self) -> None:
        """Takes all Pods that exist, then each change until the API server ends the watch."""
        params = {"labelSelector": MANAGED, "watch": "true", "timeoutSeconds": "300"}
        async with self._client.stream(self._client.pods, params, silence_s=None) as lines:
            rest = b""
            async for chunk in lines.iter_any():
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    pod = json.loads(line)["object"]
                    if pod.get("spec", {}).get("nodeName") in NAMES:
                        self._take(pod)

    def _take(self, pod: dict[str, Any]) -> None:
        is_deleted = "deletionTimestamp" in pod["metadata"]
        step = f"{pod['metadata']['uid']} {is_deleted}"
        if step not in self._begun:
            self._begun.add(step)
            task = asyncio.create_task(self._forget(pod) if is_deleted else self._run(pod))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, pod: dict[str, Any]) -> None:
        began, ended = _now(), self._ended(pod["metadata"]["name"])
        await self._report(pod, "Running", {"running": {"startedAt": began}})
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        await asyncio.sleep(self._runs_s)
        self._running -= 1
        over = {"exitCode": 0, "reason": "Completed", "startedAt": began, "finishedAt": _now()}
        await self._report(pod, "Succeeded", {"terminated": over})
        ended.set()

    def _ended(self, name: str) -> asyncio.Event:
        return self._ends.setdefault(name, asyncio.Event())

    async def _forget(self, pod: dict[str, Any]) -> None:
        path = f"{self._client.pods}/{pod['metadata']['name']}"
        await self._surely("DELETE", path, {"gracePeriodSeconds": 0}, "application/json")

    async def _report(self, pod: dict[str, Any], phase: str, state: dict[str, Any]) -> None:
        runs = phase == "Running"
        container = {
            "name": "worker",
            "image": "simulated",
            "imageID": "simulated@sha256:0",
            "containerID": f"simulated://{pod['metadata']['uid']}",
            "ready": runs,
            "started": runs,
            "restartCount": 0,
            "state": state,
        }
        conditions = [{"type": kind, "status": "True"} for kind in _CONDITIONS]
        status = {
            "phase": phase,
            "conditions": conditions,
            "containerStatuses": [container],
            "startTime": _now(),
        }
        path = f"{self._client.pods}/{pod['metadata']['name']}/status"
        await self._surely("PATCH", path, {"status": status}, MERGE_PATCH)

    async def _surely(self, method: str, path: str, body: Any, content_type: str) -> None:
        """Makes a request until the API server carries it out, or says that the object is gone."""
        while True:
            try:
                await self._client.call("simulated", method, path, body=body, content_type=content_type)
                return
            except ApiError as error:
                if error.is_absent:
                    return
                _tell(error)
            except EngineUnavailable as error:
                _tell(error)
            await asyncio.sleep(PAUSE_S)

    async def _beat(self) -> None:
        """Reports that each node lives, and takes the taint of a new node away."""
        amounts = {"cpu": "1000", "memory": "1Ti", "pods": str(PODS_A_NODE)}
        ready = {"type": "Ready", "status": "True", "reason": "Simulated", "lastHeartbeatTime": _now()}
        status = {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [ready],
            "addresses": [{"type": "InternalIP", "address": GATEWAY}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": LOGS_PORT}},
        }
        for name in NAMES:
            path = f"/api/v1/nodes/{name}"
            await self._merge(f"{path}/status", {"status": status})
            await self._merge(path, {"spec": {"taints": None}})

    @contextlib.asynccontextmanager
    async def _logs(self) -> AsyncIterator[None]:
        """Answers the API server's requests for logs: a worker prints one line when it starts; who follows a log waits for the worker's end."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(f"{_now()[:-1]}.000000000Z done\n".encode())
            if request.query.get("follow"):
                await self._ended(request.match_info["pod"]).wait()
            return response

        app = web.Application()
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", answer)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(KEYS / "kubelet-server.crt", KEYS / "kubelet-server.key")
        await web.TCPSite(runner, GATEWAY, LOGS_PORT, ssl_context=tls).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def _real(self, *, unschedulable: bool) -> None:
        await self._merge(f"/api/v1/nodes/{NODE}", {"spec": {"unschedulable": unschedulable}})

    async def _merge(self, path: str, body: Any) -> None:
        await self._client.call("node", "PATCH", path, body=body, content_type=MERGE_PATCH)


async def _again(work: Callable[[], Coroutine[Any, Any, None]], pause_s: float) -> None:
    """Repeats `work` for ever. A failed request is named on stderr and made again, as a kubelet does."""
    while True:
        try:
            await work()
        except (ApiError, EngineUnavailable) as error:
            _tell(error)
        await asyncio.sleep(pause_s)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _tell(error: Exception) -> None:
    print(f"simulated nodes: {error}", file=sys.stderr)
