"""Ended jobs with pending events, and the states of their deliveries."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from jobd.events.delivery.queues.destination import destination_of
from jobd.jobs.job_repository import number, row_of
from jobd.jobs.record.new_record import new_record
from jobd.jobs.record.parts import Removal
from jobd.jobs.record.states import Done
from jobd.jobs.state.event_drafts import Draft, data_of
from jobd.store.tables.rows import Callback, Transition
from jobd.wire.event import EXIT
from jobd.wire.job import JobSpec
from tests.support.daemon import Daemon, until
from tests.support.delivery.misbehaving import Misbehaving, says

QUICK = {
    "DOCKER_HOST": "unix:///nonexistent/docker.sock",
    "DISPATCHER_HTTP_TIMEOUT": "1s",
    "DISPATCHER_INITIAL_BACKOFF": "10ms",
    "DISPATCHER_MAX_BACKOFF": "50ms",
    "DISPATCHER_BREAKER_COOLDOWN": "200ms",
    "DISPATCHER_MAX_REQUEUES": "1",
}
OK = says(204)
Put = Callable[..., Awaitable[Daemon]]
Make = Callable[..., Misbehaving]


def ended(name: str, url: str, count: int) -> Transition:
    """An ended job with `count` events; their ids end in -1, -2 and so on."""
    spec = msgspec.convert({"id": name, "image": "none", "callback": {"url": url}}, JobSpec)
    now = datetime.now(UTC)
    record = new_record(spec, now=now, owner=None, digest="", has_spool=False)
    record, events = number(record, spec, [Draft(EXIT, data_of(record, spec, exitCode=0))] * count, now)
    record = record.with_state(Done(finished_at=now, removal=Removal()))
    row = row_of(record, spec, msgspec.json.encode(spec))
    callback = Callback(url=url, key=None, destination=destination_of(url))
    return Transition(job=row, events=events, callback=callback, claim_id=True)


def settled(daemon: Daemon, name: str) -> list[dict[str, Any]]:
    """Waits until a job has no pending delivery; returns its deliveries."""

    def look() -> Any:
        found = daemon.call("GET", f"/v1/jobs/{name}/deliveries?limit=1000").json["deliveries"]
        return found if found and all(one["state"] != "pending" for one in found) else None

    found: list[dict[str, Any]] = until(look, f"the deliveries of {name} are settled")
    return found


def states(found: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(one["state"], one["attempts"]) for one in found]


def numbers(receiver: Misbehaving) -> list[int]:
    return [int(event_id.rpartition("-")[2]) for event_id in receiver.ids]
