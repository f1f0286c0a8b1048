"""Measures one jobd with many jobs at once on simulated nodes: `make bench-scale`, or
`python -m scripts.cluster_scale JOBS ...` after `make kubernetes`.

Prints what jobd, the API server and the scheduler need for each job. Every worker seems to run for `RUNS_S` seconds.
"""

import asyncio
import contextlib
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping

from jobd.clock import SystemClock
from jobd.kubernetes.http.client import Client
from jobd.kubernetes.http.kubeconfig import access
from scripts.bench.support.processes import cpu_s, resident_mb
from scripts.cluster_daemon import ClusterDaemon
from scripts.kubernetes.places import ADMIN, NAMESPACE
from scripts.kubernetes.processes import pid_of
from scripts.kubernetes.simulated_nodes import MANAGED, SimulatedNodes

COUNTS = (100, 1000)
RUNS_S = 20.0
RETENTION = {"JOB_RETENTION": "90s", "MAINTENANCE_INTERVAL": "5s"}
"""Longer than all jobs take: the removal is measured alone."""
SUBMITTING = 16
LOOK_S = 0.5
LIMIT_S = 600.0
COMPONENTS = ("apiserver", "etcd", "scheduler", "controllers")
_REQUEST = re.compile(r"^apiserver_request_total\{(?P<labels>.*)\} (?P<count>[\d.e+]+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


async def measure(client: Client, count: int) -> None:
    """Runs `count` jobs at once and prints what they took."""
    nodes = SimulatedNodes(client, RUNS_S)
    async with nodes.simulated(), _daemon(count) as jobd, asyncio.timeout(LIMIT_S):
        await _measured(client, jobd, nodes, count)


@contextlib.asynccontextmanager
async def _daemon(count: int) -> AsyncIterator[ClusterDaemon]:
    """Starts and stops a jobd in a thread, since the simulated nodes go on meanwhile."""
    jobd = ClusterDaemon({"MAX_CONCURRENT_JOBS": str(count), **RETENTION})
    await asyncio.to_thread(jobd.__enter__)
    try:
        yield jobd
    finally:
        await asyncio.to_thread(jobd.__exit__, *sys.exc_info())


async def _measured(client: Client, jobd: ClusterDaemon, nodes: SimulatedNodes, count: int) -> None:
    pids = {"jobd": jobd.process.pid}
    for name in COMPONENTS:
        pid = pid_of(name)
        if pid is None:
            raise RuntimeError(f"{name} does not run: make kubernetes")
        pids[name] = pid
    cpu_before, memory_before = _cpu(pids), resident_mb(pids["jobd"])
    requests_before = await _requests(client)
    began = time.monotonic()
    await _submit(jobd, count)
    submitted_s = time.monotonic() - began
    listed, most_mb, slowest_s = "", memory_before, 0.0
    while True:
        asked = time.monotonic()
        left = await asyncio.to_thread(jobd.request, "GET", "/v1/jobs?status=accepted,running&limit=1")
        slowest_s = max(slowest_s, time.monotonic() - asked)
        if left[0] != 200:
            raise RuntimeError(f"GET /v1/jobs: {left}")
        most_mb = max(most_mb, resident_mb(pids["jobd"]))
        if not listed and nodes.most_at_once >= count * 0.9:
            listed = await _list(client)
        if not left[1]["jobs"]:
            break
        await asyncio.sleep(LOOK_S)
    took_s = time.monotonic() - began
    spent = {name: seconds - cpu_before[name] for name, seconds in _cpu(pids).items()}
    ended = (
        await asyncio.to_thread(jobd.request, "GET", f"/v1/jobs?status=completed&limit={min(count, 1000)}")
    )[1]
    requests = await _requests(client) - requests_before
    print(f"{count} jobs, each {RUNS_S:g} s: {len(ended['jobs'])} on the first page of the completed ones")
    print(f"  submitted in {submitted_s:.1f} s, ended in {took_s:.1f} s; {nodes.most_at_once} ran at once")
    print(
        f"  jobd: {most_mb:.0f} MB at most, {memory_before:.0f} before: {(most_mb - memory_before) * 1000 / count:.0f} kB a job"
    )
    print(
        "  processor time a job:", ", ".join(f"{name} {s * 1000 / count:.1f} ms" for name, s in spent.items())
    )
    print(
        f"  a list of all Pods: {listed or 'not measured'}; the slowest answer of GET /v1/jobs: {slowest_s * 1000:.0f} ms"
    )
    print("  requests to the API server a job:", _told(requests, count))
    await _removal(jobd, count)


async def _removal(jobd: ClusterDaemon, count: int) -> None:
    """Prints how fast retention removes the Pods of the ended jobs."""
    began = 0.0
    while left := len(await asyncio.to_thread(jobd.left)):
        if left < count and not began:
            began, count = time.monotonic(), left
        await asyncio.sleep(LOOK_S)
    print(f"  removed by retention: {count / (time.monotonic() - began):.1f} Pods a second")


async def _submit(jobd: ClusterDaemon, count: int) -> None:
    limit = asyncio.Semaphore(SUBMITTING)

    async def one(number: int) -> None:
        body = {"id": f"scale-{number}", "image": "simulated", "command": ["true"], "cpu": 0.1, "memory": 16}
        async with limit:
            status, answer = await asyncio.to_thread(jobd.request, "POST", "/v1/jobs", body)
        if status != 202:
            raise RuntimeError(f"job {number} was refused: {answer}")

    await asyncio.gather(*(one(number) for number in range(count)))


async def _list(client: Client) -> str:
    began = time.monotonic()
    content = await client.call("list", "GET", client.pods, params={"labelSelector": MANAGED})
    return f"{(time.monotonic() - began) * 1000:.0f} ms, {len(content) / 1e6:.1f} MB"


async def _requests(client: Client) -> Counter[str]:
    """Returns how many requests about Pods the API server has answered, by verb and part of a Pod."""
    text = (await client.call("metrics", "GET", "/metrics")).decode()
    counts: Counter[str] = Counter()
    for found in _REQUEST.finditer(text):
        labels = dict(_LABEL.findall(found["labels"]))
        if labels.get("resource") == "pods":
            name = f"{labels['verb']} {labels.get('subresource', '')}".strip()
            counts[name] += int(float(found["count"]))
    return counts


def _told(requests: Counter[str], count: int) -> str:
    return ", ".join(f"{name} {number / count:.2f}" for name, number in requests.most_common() if number)


def _cpu(pids: Mapping[str, int]) -> dict[str, float]:
    return {name: cpu_s(pid) for name, pid in pids.items()}


async def main(counts: list[int]) -> int:
    """Measures each count of jobs. SIGTERM removes the nodes too, as Ctrl-C does."""
    own = asyncio.current_task()
    assert own is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, own.cancel)
    client = Client(access({"KUBECONFIG": str(ADMIN)}, namespace=NAMESPACE), SystemClock())
    try:
        for count in counts:
            await measure(client, count)
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM
    finally:
        await client.close()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main([int(text) for text in sys.argv[1:]] or list(COUNTS))))
