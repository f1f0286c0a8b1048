"""P6: one job and one page of jobs, read from a jobd that keeps 10,000 jobs.

A job is read as fast as possible, against a handler of bare aiohttp that responds with the same bytes. Pages are read one after the other
on one connection, from the newest job to older ones.
"""

import asyncio
import http.client
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scripts.bench.pairs import Budget, Result, measure, sample, timed_ms
from scripts.bench.support.job_runs import PROGRAM_S
from scripts.bench.support.kept_jobs import keep_jobs, kept_id
from scripts.bench.support.load import requests_per_s
from scripts.bench.support.progress import begin
from scripts.daemon import ROOT, Daemon, UnixConnection

KEPT, REQUESTS, CONNECTIONS, PAGE = 10_000, 3000, 8, 100

P6 = Budget(
    "P6",
    f"GET /v1/jobs/{{id}}, {KEPT:,} kept jobs",
    "bare aiohttp, the same bytes",
    0.6,
    "at-least",
    "requests/s",
)
P6_PAGE = Budget("P6-page", f"GET /v1/jobs, one page of {PAGE} of {KEPT:,} kept jobs", bound=20)
BUDGETS = (P6, P6_PAGE)


class Pages:
    """Reads the next page at each call, and begins again after the last page."""

    def __init__(self, socket: Path) -> None:
        self._connection = UnixConnection(str(socket), timeout_s=PROGRAM_S)
        self._cursor: str | None = None

    def next_ms(self) -> float:
        """Returns the milliseconds from the request to the last byte of the response."""
        cursor = f"&cursor={quote(self._cursor)}" if self._cursor else ""
        answers: list[tuple[int, bytes]] = []

        def read() -> None:
            self._connection.request("GET", f"/v1/jobs?limit={PAGE}{cursor}")
            answer = self._connection.getresponse()
            answers.append((answer.status, answer.read()))

        took_ms = timed_ms(read)
        ((status, body),) = answers
        page: dict[str, Any] = json.loads(body)
        if status != http.client.OK or len(page["jobs"]) != PAGE:
            raise RuntimeError(f"GET /v1/jobs answered {status} with {len(page.get('jobs', []))} jobs")
        self._cursor = page.get("next")
        return took_ms

    def close(self) -> None:
        self._connection.close()


@contextmanager
def constant_server(body: bytes) -> Iterator[Path]:
    """Yields the socket of a bare handler that responds with `body`, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        socket, file = Path(folder) / "socket", Path(folder) / "body"
        file.write_bytes(body)
        module = "scripts.bench.programs.constant_server"
        command = [sys.executable, "-m", module, str(socket), str(file)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
            try:
                assert process.stdout is not None
                if not process.stdout.readline():
                    raise RuntimeError(f"{module} did not start")
                yield socket
            finally:
                process.kill()


def benchmarks(wanted: frozenset[str]) -> Iterator[Result]:
    """Takes the wanted measurements."""
    with Daemon(prepare=lambda state: keep_jobs(state, KEPT)) as jobd:
        if P6.name in wanted:
            begin(P6)
            yield _one_job(jobd)
        if P6_PAGE.name in wanted:
            begin(P6_PAGE)
            pages = Pages(jobd.socket)
            try:
                pages.next_ms()
                yield sample(P6_PAGE, pages.next_ms, KEPT // PAGE, 10)
            finally:
                pages.close()


def _one_job(jobd: Daemon) -> Result:
    targets = [f"/v1/jobs/{kept_id(index * KEPT // REQUESTS)}" for index in range(REQUESTS)]
    connection = UnixConnection(str(jobd.socket), timeout_s=PROGRAM_S)
    connection.request("GET", targets[0])
    body = connection.getresponse().read()
    connection.close()
    with constant_server(body) as constant:

        def rate(socket: Path) -> Callable[[], float]:
            return lambda: asyncio.run(requests_per_s(socket, targets, CONNECTIONS))

        ours, theirs = rate(jobd.socket), rate(constant)
        ours(), theirs()  # warms both up
        return measure(P6, ours, theirs, 7, 20)
