"""jobd's memory for its clients is bounded in bytes, whatever they request and however slowly they read."""

import contextlib
import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Daemon, until

MIB = 1 << 20
BIG = {f"V{n}": "x" * 125_000 for n in range(7)}
"""An environment of 875 kB: a spec near the limit."""
GROWTH_MIB = 120
"""The two budgets of 32 MiB each, the copies in the connections' buffers, and memory that the allocator does not return."""


def resident_mib(daemon: Daemon) -> float:
    assert daemon.process is not None
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{daemon.process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


@pytest.fixture
def lone(make_daemon: Callable[..., Daemon], no_engine: dict[str, str]) -> Daemon:
    return make_daemon(environ={**no_engine, "MAX_QUEUED_JOBS": "5000"}).start()


@pytest.fixture
def ask(lone: Daemon) -> Iterator[Callable[[str], socket.socket]]:
    """Sends a request and does not read the response."""
    opened: list[socket.socket] = []

    def send(request: str) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.connect(str(lone.socket))
        made.settimeout(30)
        made.sendall(request.encode())
        opened.append(made)
        return made

    yield send
    for one in opened:
        one.close()


def get(path: str) -> str:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"


def frames(client: socket.socket) -> Iterator[dict[str, Any]]:
    """The frames of a chunked NDJSON response, until the connection ends."""
    with client.makefile("rb") as file:
        for line in file:
            if line.startswith(b"{"):
                yield json.loads(line)


def events_of(daemon: Daemon, count: int) -> None:
    """Fills the feed with a megabyte of events for each ten jobs: each event contains the job's `meta`."""
    meta = {f"k{n}": "v" * 256 for n in range(32)}
    for n in range(count):
        daemon.submit(id=f"j{n}", image="busybox", meta=meta)
        daemon.call("POST", f"/v1/jobs/j{n}/cancel")


def test_specs_of_jobs_that_wait_are_not_in_memory(lone: Daemon) -> None:
    for n in range(150):
        lone.submit(id=f"big-{n}", image="busybox", environment=BIG)
    grown = resident_mib(lone)
    assert grown < 54 + 60, "150 specs are 125 MiB"
    lone.kill()
    lone.start()
    until(lambda: lone.call("GET", "/v1/jobs?limit=1").json["jobs"][0]["queuePosition"], "the queue is back")
    assert resident_mib(lone) < 54 + 60
    assert lone.call("POST", "/v1/jobs/big-7/cancel").status == 202
    assert lone.ended("big-7")["status"] == "cancelled"


def test_stalled_readers_of_events_share_a_budget(lone: Daemon, ask: Callable[[str], socket.socket]) -> None:
    events_of(lone, 300)
    before = resident_mib(lone)
    clients = [ask(get("/v1/events?follow=1")) for _ in range(400)]
    until(lambda: clients[-1].recv(1, socket.MSG_PEEK), "the last one is answered")
    assert resident_mib(lone) - before < GROWTH_MIB
    # A client that reads gets all events, beside 400 stalled clients.
    reading = ask(get("/v1/events?follow=1"))
    numbers = []
    for frame in frames(reading):
        numbers.append(frame["seq"])
        if len(numbers) == 600:
            break
    assert numbers == list(range(1, 601))
    assert resident_mib(lone) - before < GROWTH_MIB


def test_an_evicted_reader_resumes_from_its_cursor(lone: Daemon, ask: Callable[[str], socket.socket]) -> None:
    events_of(lone, 200)
    slow = [ask(get("/v1/events?follow=1")) for _ in range(490)]
    until(lambda: slow[-1].recv(1, socket.MSG_PEEK), "the last one is answered")
    until(
        lambda: (
            lone.call("GET", "/v1/jobs?limit=2").status == 200
            and "slow reader disconnected" in lone.log.read_text()
        ),
        "a list that finds no room beside them is answered",
    )
    seen: list[int] = []
    with contextlib.suppress(json.JSONDecodeError, ConnectionError):
        for frame in frames(slow[0]):
            seen.append(frame["seq"])
    assert 0 < len(seen) < 400
    assert seen == list(range(1, len(seen) + 1))
    rest = lone.call("GET", f"/v1/events?after={len(seen)}").body.splitlines()
    assert [json.loads(line)["seq"] for line in rest] == list(range(len(seen) + 1, 401))


def test_stalled_readers_of_lists_share_the_budget(lone: Daemon, ask: Callable[[str], socket.socket]) -> None:
    command = ["x" * 100_000] * 8
    for n in range(20):
        lone.submit(id=f"long-{n}", image="busybox", command=command)
    before = resident_mib(lone)
    for _ in range(20):
        ask(get("/v1/jobs?limit=1000"))
        ask(get("/v1/jobs/long-1"))
    most = 0.0
    for _ in range(6):
        assert lone.call("GET", "/v1/jobs?limit=1").status == 200, "one who reads is served beside them"
        most = max(most, resident_mib(lone))
    assert most - before < GROWTH_MIB


def test_slow_bodies_share_a_budget(lone: Daemon, ask: Callable[[str], socket.socket]) -> None:
    before = resident_mib(lone)
    head = (
        "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {MIB}\r\n\r\n"
    )
    clients = [ask(head) for _ in range(250)]
    for client in clients:
        client.setblocking(False)
    sent = dict.fromkeys(clients, 0)
    for _ in range(100):  # as much as jobd reads of each, except its end
        for client in clients:
            with contextlib.suppress(BlockingIOError):
                if sent[client] < MIB - 60_000:
                    sent[client] += client.send(b" " * 50_000)
        assert lone.call("GET", "/livez").status == 200
    # The budget, and for each connection what the event loop reads at once (256 KiB) and what aiohttp keeps unread (128 KiB).
    assert resident_mib(lone) - before < 2 * 32 + 250 * 0.375 + 20
    assert sum(count > 900_000 for count in sent.values()) >= 32
