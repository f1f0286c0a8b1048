"""P6: one job and one page of jobs, read from a jobd that keeps 10,000 jobs.

A job is read as fast as possible, against a handler of bare aiohttp that responds with the same bytes: P6 reads the same jobs again and
again, so that jobd has their responses in memory; P6-first reads each job for the first time. Pages are read one after the other
on one connection, from the newest job to older ones.
"""

import asyncio
import http.client
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
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
FIRST_SAMPLES, FIRST_REQUESTS = 9, 700

P6 = Budget(
    "P6",
    f"GET /v1/jobs/{{id}}, {KEPT:,} kept jobs",
    "bare aiohttp, the same bytes",
    0.6,
    "at-least",
    "requests/s",
)
P6_FIRST = Budget(
    "P6-first",
    "the same, each job for the first time",
    "bare aiohttp, the same bytes",
    kind="at-least",
    unit="requests/s",
)
P6_PAGE = Budget("P6-page", f"GET /v1/jobs, one page of {PAGE} of {KEPT:,} kept jobs", bound=20)
BUDGETS = (P6, P6_FIRST, P6_PAGE)


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
        if P6_FIRST.name in wanted:
            begin(P6_FIRST)
            yield _first_reads(jobd)
        if P6_PAGE.name in wanted:
            begin(P6_PAGE)
            pages = Pages(jobd.socket)
            try:
                pages.next_ms()
                yield sample(P6_PAGE, pages.next_ms, KEPT // PAGE, 10)
            finally:
                pages.close()


def _indices() -> list[int]:
    """Returns the jobs that P6 reads, over all kept jobs; P6-first reads others."""
    return [index * KEPT // REQUESTS for index in range(REQUESTS)]


def _target(index: int) -> str:
    return f"/v1/jobs/{kept_id(index)}"


def _body(jobd: Daemon, target: str) -> bytes:
    connection = UnixConnection(str(jobd.socket), timeout_s=PROGRAM_S)
    try:
        connection.request("GET", target)
        return connection.getresponse().read()
    finally:
        connection.close()


def _first_reads(jobd: Daemon) -> Result:
    known = _indices()
    others = iter(sorted(set(range(KEPT)) - set(known)))
    with constant_server(_body(jobd, _target(known[0]))) as constant:

        def rate(socket: Path, indices: Iterable[int]) -> float:
            return asyncio.run(requests_per_s(socket, [*map(_target, indices)], CONNECTIONS))

        return measure(
            P6_FIRST,
            lambda: rate(jobd.socket, islice(others, FIRST_REQUESTS)),
            lambda: rate(constant, known[:FIRST_REQUESTS]),
            FIRST_SAMPLES,
            20,
        )


def _one_job(jobd: Daemon) -> Result:
    targets = [*map(_target, _indices())]
    with constant_server(_body(jobd, targets[0])) as constant:

        def rate(socket: Path) -> Callable[[], float]:
            return lambda: asyncio.run(requests_per_s(socket, targets, CONNECTIONS))

        ours, theirs = rate(jobd.socket), rate(constant)
        ours(), theirs()  # warms both up
        return measure(P6, ours, theirs, 7, 20)
