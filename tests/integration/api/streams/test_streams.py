"""Logs and events as streams: followed, resumed, filtered; and the failure of a source."""

import asyncio
import base64
import gc
import http.client
import json
import tracemalloc
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientPayloadError, web
from aiohttp.test_utils import TestClient, TestServer

from jobd.api.endpoints.streams import FOLLOWERS, stream
from tests.support.daemon import DEADLINE_S, Daemon, until
from tests.support.wire import streaming

TYPES = [
    "orchestrator.job.start",
    "orchestrator.job.log",
    "orchestrator.job.exit",
    "orchestrator.job.complete",
]


@pytest.fixture(scope="module")
def printed(daemon: Daemon, worker_image: str) -> str:
    """A job that has printed 20 lines on each stream, in turns, and ended with 3."""
    script = "i=1; while [ $i -le 20 ]; do echo o$i; echo e$i >&2; i=$((i+1)); sleep 0.01; done; exit 3"
    job_id = daemon.submit(id=f"printed-{uuid.uuid4().hex[:8]}", image=worker_image, command=script)
    daemon.ended(job_id)
    return job_id


def test_a_log_is_ndjson_and_its_last_frame_is_the_end(daemon: Daemon, printed: str) -> None:
    answer = daemon.call("GET", f"/v1/jobs/{printed}/logs")
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    frames = [json.loads(line) for line in answer.body.splitlines()]
    assert frames[-1] == {"end": {"status": "failed", "exitCode": 3, "reason": "exit-code"}}
    assert len(frames) == 41
    for number, frame in enumerate(frames[:-1], start=1):
        assert frame["seq"] == number
        assert set(frame) == {"seq", "time", "stream", "line"}
        assert frame["line"].startswith({"stdout": "o", "stderr": "e"}[frame["stream"]])


def test_bytes_of_an_unfinished_line_are_sent_on_request(
    daemon: Daemon, worker_image: str, job_id: str
) -> None:
    command = "trap 'echo; exit 0' TERM; printf '10%%\\r\\377'; while true; do sleep 0.1; done"
    daemon.submit(id=job_id, image=worker_image, command=command)
    address = urlsplit(daemon.http)
    assert address.hostname
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=DEADLINE_S)
    connection.request("GET", f"/v1/jobs/{job_id}/logs?follow=1&unfinished=1")
    response = connection.getresponse()
    frames = (
        json.loads(line) for line in response if line.strip()
    )  # an empty line keeps the connection alive
    shown = b""
    for frame in frames:
        if "unfinished" not in frame:
            break
        part = frame["unfinished"]
        assert (part["stream"], part["at"]) == ("stdout", len(shown))
        shown += base64.b64decode(part["raw"])
        if shown == b"10%\r\xff":
            daemon.call("POST", f"/v1/jobs/{job_id}/cancel", {})
    # If jobd stores the line a moment after its end, the newline comes as a byte of the unfinished line.
    assert shown.removesuffix(b"\n") == b"10%\r\xff"
    assert (frame["seq"], base64.b64decode(frame["raw"]), frame["line"]) == (1, b"10%\r\xff", "10%\r�")
    assert "end" in next(frames)
    connection.close()
    assert [set(frame) & {"unfinished"} for frame in daemon.log_lines(job_id)] == [set(), set()]


def test_a_log_can_be_read_in_parts(daemon: Daemon, printed: str) -> None:
    whole = daemon.log_lines(printed)
    lines, end = whole[:-1], whole[-1:]
    errors = [line for line in lines if line["stream"] == "stderr"]
    assert daemon.log_lines(printed, "?follow=1") == whole
    assert daemon.log_lines(printed, "?after=38") == lines[38:] + end
    assert daemon.log_lines(printed, "?after=40") == end
    assert daemon.log_lines(printed, "?tail=0") == end
    assert daemon.log_lines(printed, "?tail=5") == lines[-5:] + end
    assert daemon.log_lines(printed, "?tail=1000") == whole
    assert daemon.log_lines(printed, "?after=38&tail=5") == lines[38:] + end
    assert daemon.log_lines(printed, "?stream=stderr") == errors + end
    assert daemon.log_lines(printed, "?stream=stderr&tail=2") == errors[-2:] + end
    assert daemon.log_lines(printed, "?stream=stderr&tail=100") == errors + end


@pytest.mark.parametrize(
    ("query", "field"),
    [("follow=yes", "follow"), ("after=-1", "after"), ("tail=x", "tail"), ("stream=both", "stream"), ("x=1", "x")],
)  # fmt: skip
def test_wrong_log_parameters_are_named(daemon: Daemon, printed: str, query: str, field: str) -> None:
    answer = daemon.call("GET", f"/v1/jobs/{printed}/logs?{query}")
    assert (answer.status, answer.json["field"]) == (400, field)
    assert daemon.call("GET", "/v1/jobs/no-such/logs").json["code"] == "not-found"


def test_a_log_followed_from_before_the_job_runs_goes_on_to_its_end(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "1"}).start()
    first, second = f"{job_id}-1", f"{job_id}-2"
    daemon.submit(id=first, image=worker_image, command="sleep 600")
    daemon.submit(id=second, image=worker_image, command="echo one; echo two >&2; exit 2")
    assert daemon.call("GET", f"/v1/jobs/{second}").json["phase"] == "queued"
    assert daemon.log_lines(second) == []  # not followed: what is there now
    with streaming(daemon, f"/v1/jobs/{second}/logs?follow=1") as lines:
        until(lambda: daemon.call("GET", f"/v1/jobs/{first}").json["status"] == "running", "first runs")
        assert daemon.call("GET", f"/v1/jobs/{second}").json["queuePosition"] == 1
        assert daemon.call("POST", f"/v1/jobs/{first}/cancel", {"graceSeconds": 0}).status == 202
        frames = [json.loads(line) for line in lines]
    assert {(f["stream"], f["line"]) for f in frames[:-1]} == {("stdout", "one"), ("stderr", "two")}
    assert frames[-1] == {"end": {"status": "failed", "exitCode": 2, "reason": "exit-code"}}


def test_a_cancelled_job_that_never_ran_ends_its_followers(lonely: Daemon, job_id: str) -> None:
    lonely.submit(id=job_id, image="busybox")
    with streaming(lonely, f"/v1/jobs/{job_id}/logs?follow") as lines:
        assert lonely.call("POST", f"/v1/jobs/{job_id}/cancel").status == 202
        assert [json.loads(line) for line in lines] == [
            {"end": {"status": "cancelled", "exitCode": None, "reason": "cancelled"}}
        ]


def events_of(daemon: Daemon, query: str) -> list[dict[str, Any]]:
    answer = daemon.call("GET", f"/v1/events?{query}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/x-ndjson")
    return [json.loads(line) for line in answer.body.splitlines()]


def complete(daemon: Daemon, job_id: str) -> list[dict[str, Any]]:
    def look() -> list[dict[str, Any]] | None:
        entries = events_of(daemon, f"job={job_id}")
        return entries if entries and entries[-1]["event"]["type"] == TYPES[-1] else None

    found: list[dict[str, Any]] = until(look, f"all events of {job_id}")
    return found


def test_events_are_kept_and_resumed(daemon: Daemon, printed: str) -> None:
    entries = complete(daemon, printed)
    types = [entry["event"]["type"] for entry in entries]
    assert (types[0], types[-2:], set(types[1:-2])) == (TYPES[0], TYPES[2:], {TYPES[1]})
    seqs = [entry["seq"] for entry in entries]
    assert seqs == sorted(set(seqs))
    for at, seq in enumerate(seqs, start=1):
        assert events_of(daemon, f"job={printed}&after={seq}") == entries[at:]
    everything = events_of(daemon, "")
    assert [e for e in everything if e["event"]["subject"] == printed] == entries


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [("after=x", 400, "after"), ("follow=2", 400, "follow"), ("job=no-such", 404, None), ("y=1", 400, "y")],
)
def test_wrong_event_parameters_are_named(daemon: Daemon, query: str, status: int, field: str | None) -> None:
    answer = daemon.call("GET", f"/v1/events?{query}")
    assert (answer.status, answer.json.get("field")) == (status, field)


def sse(lines: list[bytes]) -> list[tuple[str, str, dict[str, Any]]]:
    """Returns (id, event, data) of each message."""
    fields = [line.split(b": ", 1) for line in lines if not line.startswith(b":")]
    assert [name for name, _ in fields] == [b"id", b"event", b"data"] * (len(fields) // 3)
    values = [value for _, value in fields]
    return [
        (values[at].decode(), values[at + 1].decode(), json.loads(values[at + 2]))
        for at in range(0, len(values), 3)
    ]


def test_server_sent_events_resume_by_the_last_id(daemon: Daemon, printed: str) -> None:
    entries = complete(daemon, printed)
    wanted = {"Accept": "text/event-stream"}
    with streaming(daemon, f"/v1/events?job={printed}", wanted) as lines:
        messages = sse(list(lines))
    assert [(int(seq), kind, data) for seq, kind, data in messages] == [
        (entry["seq"], entry["event"]["type"], entry["event"]) for entry in entries
    ]
    resumed = {**wanted, "Last-Event-ID": messages[1][0]}
    with streaming(daemon, f"/v1/events?job={printed}&after=0", resumed) as lines:
        assert sse(list(lines)) == messages[2:]
    answer = daemon.call("GET", "/v1/events", headers={**wanted, "Last-Event-ID": "none"})
    assert (answer.status, answer.json["field"]) == (400, "Last-Event-ID")


def test_followed_events_come_as_they_happen(daemon: Daemon, worker_image: str, job_id: str) -> None:
    last = events_of(daemon, "")[-1]["seq"] if events_of(daemon, "") else 0
    with streaming(daemon, f"/v1/events?follow=1&after={last}") as lines:
        daemon.submit(id=job_id, image=worker_image, command="echo hello")
        seen = []
        for line in lines:
            entry = json.loads(line)
            if entry["event"]["subject"] == job_id:
                seen.append(entry["event"]["type"])
                if seen[-1] == TYPES[-1]:
                    break
    assert seen == TYPES


def test_a_follower_ends_with_the_daemon(
    make_daemon: Callable[..., Daemon], no_engine: dict[str, str]
) -> None:
    daemon = make_daemon(environ=no_engine).start()
    daemon.submit(id="waits", image="busybox")
    with streaming(daemon, "/v1/events?follow=1"), streaming(daemon, "/v1/jobs/waits/logs?follow=1"):
        assert daemon.stop() == 0


async def test_a_failing_source_aborts_the_connection() -> None:
    """A client must be able to distinguish a complete stream from a truncated one."""

    async def source(fails: bool) -> AsyncIterator[bytes]:
        yield b"first\n"
        if fails:
            raise RuntimeError("no more")

    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream(request, source(request.path == "/bad"), "application/x-ndjson")

    app = web.Application()
    app.router.add_get("/good", handler)
    app.router.add_get("/bad", handler)
    async with TestClient(TestServer(app)) as client:
        response = await client.get("/good")
        assert await response.read() == b"first\n"
        response = await client.get("/bad")
        with pytest.raises(ClientPayloadError):
            await response.read()


async def test_no_part_of_a_response_is_in_memory_while_its_source_waits() -> None:
    part_bytes, count = 300_000, 20
    sent = asyncio.Event()
    waiting = 0

    async def source() -> AsyncIterator[bytes]:
        nonlocal waiting
        yield b"x" * part_bytes
        waiting += 1
        await sent.wait()

    async def answer(request: web.Request) -> web.StreamResponse:
        return await stream(request, source(), "application/x-ndjson", follows=True)

    app = web.Application()
    app[FOLLOWERS] = set()
    app.router.add_get("/", answer)
    async with TestClient(TestServer(app)) as client:
        answers = []
        tracemalloc.start()
        try:
            for _ in range(count):
                got = await client.get("/")
                left = part_bytes
                while left:
                    left -= len(await got.content.read(left))
                answers.append(got)
            async with asyncio.timeout(DEADLINE_S):
                while waiting < count:
                    await asyncio.sleep(0)
            gc.collect()
            assert len(app[FOLLOWERS]) == count
            assert tracemalloc.get_traced_memory()[0] < count * part_bytes / 3
        finally:
            tracemalloc.stop()
            sent.set()
        for got in answers:
            assert await got.read() == b""
        async with asyncio.timeout(DEADLINE_S):
            while app[FOLLOWERS]:
                await asyncio.sleep(0)
