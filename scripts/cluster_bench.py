"""Measures jobs through jobd beside Job objects of the same cluster: `make bench-kubernetes`, after `make kubernetes`.

Prints a table of ratios. Both sides make one Pod of the same image and resources for each job, and end when the API tells the end.
"""

import asyncio
import json
import secrets
import sys
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from jobd.clock import SystemClock
from jobd.kubernetes.http.client import Client
from jobd.kubernetes.http.kubeconfig import access
from scripts.bench.pairs import Budget, measure
from scripts.bench.report import table
from scripts.cluster_daemon import ClusterDaemon
from scripts.kubernetes.places import ADMIN, NAMESPACE

IMAGE = "busybox:latest"
AT_ONCE = 20
PAIRS, LIMIT_S = 10, 180
END_S = 120
CPU, MEMORY_MB = 0.05, 32
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
K1 = Budget("K1", "true through jobd, POST to end", "a Job object", 0.6)
K2 = Budget("K2", f"{AT_ONCE} jobs at once through jobd", f"{AT_ONCE} Job objects", 1.5, "at-least", "jobs/s")


class JobObjects:
    """Jobs of the cluster's own controller."""

    def __init__(self) -> None:
        self._client = Client(access({"KUBECONFIG": str(ADMIN)}, namespace=NAMESPACE), SystemClock())
        self.seconds = 0.0
        """How long the last jobs took."""

    async def run(self, count: int) -> None:
        """Creates Job objects and returns when all have succeeded, then removes them."""
        names = [f"bench-{secrets.token_hex(4)}" for _ in range(count)]
        left = set(names)
        label = secrets.token_hex(4)
        began = time.monotonic()
        await asyncio.gather(
            *(self._client.call("job-create", "POST", JOBS, body=_job(name, label)) for name in names)
        )
        selector = {"labelSelector": f"bench={label}", "watch": "true", "resourceVersion": "0"}
        async with self._client.stream(JOBS, selector, silence_s=END_S) as lines:
            async for line in lines:
                status = json.loads(line)["object"]
                if status.get("status", {}).get("succeeded"):
                    left.discard(status["metadata"]["name"])
                if not left:
                    break
        self.seconds = time.monotonic() - began
        options = {"propagationPolicy": "Background"}
        await asyncio.gather(
            *(self._client.call("job-delete", "DELETE", f"{JOBS}/{name}", body=options) for name in names)
        )

    async def close(self) -> None:
        await self._client.close()


def _job(name: str, label: str) -> dict[str, Any]:
    amounts = {"cpu": f"{int(CPU * 1000)}m", "memory": f"{MEMORY_MB}Mi"}
    worker = {
        "name": "worker",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["true"],
        "resources": {"requests": amounts, "limits": amounts},
    }
    pod = {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [worker]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {"bench": label}},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }


def through_jobd(jobd: ClusterDaemon, count: int) -> float:
    """Runs jobs through jobd; returns the seconds until all have ended. Then removes them."""

    def one(name: str) -> None:
        body = {"id": name, "image": IMAGE, "command": ["true"], "cpu": CPU, "memory": MEMORY_MB}
        status, answer = jobd.request("POST", "/v1/jobs", body)
        assert status == 202, answer
        end = list(jobd.lines(f"/v1/jobs/{name}/logs?follow=1", END_S))[-1]["end"]
        assert end["status"] == "completed", end

    names = [f"bench-{secrets.token_hex(4)}" for _ in range(count)]
    began = time.monotonic()
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(one, names))
    took_s = time.monotonic() - began
    for name in names:
        jobd.request("DELETE", f"/v1/jobs/{name}")
    deadline = time.monotonic() + END_S
    while jobd.left() and time.monotonic() < deadline:
        time.sleep(0.2)
    return took_s


def main() -> int:
    with asyncio.Runner() as runner, ClusterDaemon({"MAX_CONCURRENT_JOBS": str(AT_ONCE)}) as jobd:

        def run(work: Coroutine[Any, Any, None]) -> None:
            runner.run(work)

        objects = JobObjects()

        def job_objects(count: int) -> float:
            run(objects.run(count))
            time.sleep(2)  # the cluster removes their Pods
            return objects.seconds

        through_jobd(jobd, 1), job_objects(1)
        rows = [
            measure(K1, lambda: through_jobd(jobd, 1) * 1000, lambda: job_objects(1) * 1000, PAIRS, LIMIT_S),
            measure(K2, lambda: AT_ONCE / through_jobd(jobd, AT_ONCE), lambda: AT_ONCE / job_objects(AT_ONCE), 5, LIMIT_S),
        ]  # fmt: skip
        run(objects.close())
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
