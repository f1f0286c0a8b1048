"""Cursors of logs and events that this database has never assigned."""

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.daemon import DEADLINE_S, Daemon, until
from tests.support.wire import streaming


def events_of(daemon: Daemon, query: str) -> list[dict[str, Any]]:
    answer = daemon.call("GET", f"/v1/events?{query}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/x-ndjson")
    return [json.loads(line) for line in answer.body.splitlines()]


def complete(daemon: Daemon, job_id: str) -> list[dict[str, Any]]:
    def look() -> list[dict[str, Any]] | None:
        entries = events_of(daemon, f"job={job_id}")
        return entries if entries and entries[-1]["event"]["type"] == "orchestrator.job.complete" else None

    found: list[dict[str, Any]] = until(look, f"all events of {job_id}")
    return found


def refusal(daemon: Daemon, path: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """Returns the response's error. Checks the status first: a followed stream would not end."""
    at = urlsplit(daemon.http)
    connection = http.client.HTTPConnection(str(at.hostname), at.port, timeout=DEADLINE_S)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        assert response.status == 400
        error: dict[str, Any] = json.loads(response.read())
        return error
    finally:
        connection.close()


@pytest.mark.parametrize("query", ["follow=1&", ""])
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_an_unassigned_event_number_is_refused(daemon: Daemon, printed: str, query: str, accept: str) -> None:
    complete(daemon, printed)
    last = events_of(daemon, "")[-1]["seq"]
    wanted = {"Accept": accept}
    # Jobs of other modules may have events in between, but never a million.
    for beyond in (last + 1_000_000, 10**18 - 1):
        places: list[tuple[str, dict[str, str], str]] = [
            (f"after={beyond}", {}, "after"),
            (f"after={beyond}&job={printed}", {}, "after"),
        ]
        if accept == "text/event-stream":
            places.append(("after=0", {"Last-Event-ID": str(beyond)}, "Last-Event-ID"))
        for rest, more, field in places:
            error = refusal(daemon, f"/v1/events?{query}{rest}", {**wanted, **more})
            assert (error["code"], error["field"]) == ("unknown-cursor", field)
            assert f"{field} is {beyond}" in error["error"]
            assert f"has number {last}" in error["error"]
            assert f"after={last}" in error["error"]
    assert events_of(daemon, f"after={last}") == []


def test_a_cursor_of_another_database_is_refused_where_there_is_no_event_yet(
    make_daemon: Callable[..., Daemon], no_engine: dict[str, str]
) -> None:
    daemon = make_daemon(environ=no_engine).start()
    said = refusal(daemon, "/v1/events?follow=1&after=1")
    assert said["field"] == "after"
    assert "has number 0" in said["error"]
    assert events_of(daemon, "after=0") == []
    # The number of an event that was removed with its job was assigned by this database.
    daemon.submit(id="gone", image="busybox", callback={"url": "http://127.0.0.1:9/"})
    daemon.call("DELETE", "/v1/jobs/gone")
    until(lambda: events_of(daemon, ""), "there are events")
    last = events_of(daemon, "")[-1]["seq"]
    assert daemon.stop() == 0
    daemon.start()
    assert events_of(daemon, f"after={last}") == []
    assert daemon.call("GET", f"/v1/events?after={last + 1000}").status == 400


@pytest.mark.parametrize("query", ["follow=1&", "", "tail=5&", "stream=stdout&"])
def test_a_line_that_a_log_does_not_have_is_refused(
    daemon: Daemon, printed: str, worker_image: str, job_id: str, query: str
) -> None:
    """Also for a running job: the reader would silently miss its lines up to that number."""
    daemon.submit(id=job_id, image=worker_image, command="echo one; echo two; sleep 600")
    until(lambda: len(daemon.log_lines(job_id)) == 2, "two lines are there")
    for id, last in ((printed, 40), (job_id, 2)):
        said = refusal(daemon, f"/v1/jobs/{id}/logs?{query}after={last + 1}")
        assert (said["code"], said["field"]) == ("unknown-cursor", "after")
        assert f"has number {last}" in said["error"]
        assert f"after={last}" in said["error"]
    assert daemon.log_lines(job_id, "?after=2") == []
    with streaming(daemon, f"/v1/jobs/{job_id}/logs?follow=1&after=2") as lines:
        assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 204
        assert "end" in json.loads(list(lines)[-1])
