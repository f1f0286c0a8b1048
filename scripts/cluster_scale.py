"""Measures jobd with a thousand jobs at once on nodes that are only simulated: `python -m scripts.cluster_scale [JOBS] [SECONDS]`.

The API server, its store and the scheduler are real; no container runs. A simulated node takes the Pods that the scheduler gives it, says
that they run, and says after SECONDS that they have succeeded; their logs are empty. Prints what one jobd needs.
"""

import asyncio
import contextlib
import json
import ssl
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from jobd.clock import SystemClock
from jobd.kubernetes.http.client import MERGE_PATCH, Client
from jobd.kubernetes.http.errors import ApiError
from jobd.kubernetes.http.kubeconfig import access
from jobd.kubernetes.mapping.labels import MANAGED_BY, SERVICE
from scripts.cluster_daemon import ClusterDaemon
from scripts.kubernetes.places import ADMIN, GATEWAY, KEYS, NAMESPACE, NODE

NODES, PODS_A_NODE = 10, 200
LOGS_PORT = 10251
HEARTBEAT_S = 10.0
SUBMITTING = 16
MANAGED = f"{MANAGED_BY}={SERVICE}"
READY = [{"type": kind, "status": "True"} for kind in ("Initialized", "Ready", "ContainersReady")]


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Nodes:
    """The simulated nodes. `runs_s`: how long each container seems to run."""

    def __init__(self, client: Client, runs_s: float) -> None:
        self._client = client
        self._runs_s = runs_s
        self._seen: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = 0
        self.most_at_once = 0

    async def make(self) -> None:
        """Creates the nodes; the real one takes no further Pod."""
        await self._real(unschedulable=True)
        for number in range(NODES):
            name = f"simulated-{number}"
            body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
            with contextlib.suppress(ApiError):
                await self._client.call("node", "POST", "/api/v1/nodes", body=body)
        await self._beat()

    async def remove(self) -> None:
        for number in range(NODES):
            with contextlib.suppress(ApiError):
                await self._client.call("node", "DELETE", f"/api/v1/nodes/simulated-{number}")
        await self._real(unschedulable=False)

    async def run(self) -> None:
        """Plays the nodes' kubelets, for ever."""
        beating = asyncio.create_task(self._beat_for_ever())
        try:
            params = {"labelSelector": MANAGED, "watch": "true", "resourceVersion": "0"}
            async with self._client.stream(self._client.pods, params, silence_s=None) as lines:
                async for line in lines:
                    pod = json.loads(line)["object"]
                    if pod["spec"].get("nodeName", "").startswith("simulated-"):
                        self._take(pod)
        finally:
            beating.cancel()

    def _take(self, pod: dict[str, Any]) -> None:
        metadata = pod["metadata"]
        step = "end" if "deletionTimestamp" in metadata else "start"
        if (key := f"{metadata['uid']} {step}") not in self._seen:
            self._seen.add(key)
            task = asyncio.create_task(self._end(pod) if step == "end" else self._play(pod))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _play(self, pod: dict[str, Any]) -> None:
        began = now()
        await self._status(pod, "Running", {"running": {"startedAt": began}})
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        await asyncio.sleep(self._runs_s)
        self._running -= 1
        over = {"exitCode": 0, "reason": "Completed", "startedAt": began, "finishedAt": now()}
        await self._status(pod, "Succeeded", {"terminated": over})

    async def _end(self, pod: dict[str, Any]) -> None:
        path = f"{self._client.pods}/{pod['metadata']['name']}"
        with contextlib.suppress(ApiError):
            await self._client.call("pod", "DELETE", path, body={"gracePeriodSeconds": 0})

    async def _status(self, pod: dict[str, Any], phase: str, state: dict[str, Any]) -> None:
        container = {
            "name": "worker",
            "image": "simulated",
            "imageID": "simulated@sha256:0",
            "containerID": f"simulated://{pod['metadata']['uid']}",
            "ready": phase == "Running",
            "started": phase == "Running",
            "restartCount": 0,
            "state": state,
        }
        status = {"phase": phase, "conditions": READY, "containerStatuses": [container], "startTime": now()}
        path = f"{self._client.pods}/{pod['metadata']['name']}/status"
        with contextlib.suppress(ApiError):
            await self._client.call("pod", "PATCH", path, body={"status": status}, content_type=MERGE_PATCH)

    async def _beat_for_ever(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._beat()

    async def _beat(self) -> None:
        amounts = {"cpu": "1000", "memory": "1Ti", "pods": str(PODS_A_NODE)}
        status = {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "Simulated", "lastHeartbeatTime": now()}
            ],
            "addresses": [{"type": "InternalIP", "address": GATEWAY}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": LOGS_PORT}},
        }
        for number in range(NODES):
            path = f"/api/v1/nodes/simulated-{number}"
            await self._client.call(
                "node", "PATCH", f"{path}/status", body={"status": status}, content_type=MERGE_PATCH
            )
            body = {"spec": {"taints": None}}
            await self._client.call("node", "PATCH", path, body=body, content_type=MERGE_PATCH)

    async def _real(self, *, unschedulable: bool) -> None:
        body = {"spec": {"unschedulable": unschedulable}}
        await self._client.call("node", "PATCH", f"/api/v1/nodes/{NODE}", body=body, content_type=MERGE_PATCH)


@contextlib.asynccontextmanager
async def empty_logs() -> Any:
    """Answers the API server's requests for logs as a kubelet does for containers that print nothing."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b"")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(KEYS / "kubelet-server.crt", KEYS / "kubelet-server.key")
    await web.TCPSite(runner, GATEWAY, LOGS_PORT, ssl_context=tls).start()
    try:
        yield
    finally:
        await runner.cleanup()


def usage(pid: int) -> tuple[float, float]:
    """Returns a process's seconds of CPU, and its resident memory in MB."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return (int(fields[11]) + int(fields[12])) / 100, pages * 4096 / 1e6


async def measured(jobd: ClusterDaemon, nodes: Nodes, count: int) -> None:
    """Runs the jobs and prints what they took."""
    pid = jobd.process.pid
    cpu_before, memory_before = usage(pid)
    limit = asyncio.Semaphore(SUBMITTING)
    peak_mb = memory_before

    async def submit(number: int) -> None:
        body = {"id": f"scale-{number}", "image": "simulated", "command": ["true"], "cpu": 0.1, "memory": 16}
        async with limit:
            status, answer = await asyncio.to_thread(jobd.request, "POST", "/v1/jobs", body)
            assert status == 202, answer

    began = time.monotonic()
    await asyncio.gather(*(submit(number) for number in range(count)))
    submitted_s = time.monotonic() - began
    while True:
        active = (await asyncio.to_thread(jobd.request, "GET", "/v1/jobs?status=accepted,running&limit=1"))[1]
        peak_mb = max(peak_mb, usage(pid)[1])
        if not active["jobs"]:
            break
        await asyncio.sleep(0.25)
    took_s = time.monotonic() - began
    cpu_s = usage(pid)[0] - cpu_before
    print(
        f"{count} jobs submitted in {submitted_s:.1f} s, ended in {took_s:.1f} s: {count / took_s:.1f} jobs/s; {nodes.most_at_once} ran at once"
    )
    print(
        f"jobd: {cpu_s * 1000 / count:.1f} ms of processor time a job; {peak_mb:.0f} MB at most, {memory_before:.0f} MB before: ",
        end="",
    )
    print(f"{(peak_mb - memory_before) * 1000 / count:.0f} kB a job")


async def main(count: int, runs_s: float) -> int:
    client = Client(access({"KUBECONFIG": str(ADMIN)}, namespace=NAMESPACE), SystemClock())
    nodes = Nodes(client, runs_s)
    try:
        await nodes.make()
        async with empty_logs():
            playing = asyncio.create_task(nodes.run())
            try:
                with ClusterDaemon({"MAX_CONCURRENT_JOBS": str(count)}) as jobd:
                    await measured(jobd, nodes, count)
            finally:
                playing.cancel()
    finally:
        await nodes.remove()
        await client.close()
    return 0


if __name__ == "__main__":
    sys.exit(
        asyncio.run(
            main(int(sys.argv[1]) if sys.argv[1:] else 1000, float(sys.argv[2]) if sys.argv[2:] else 20)
        )
    )
