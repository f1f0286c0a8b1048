"""Misbehaving receivers, each a real server, against a real jobd process whose database has pending events.

| row of the matrix | test |
|---|---|
| down, then up | test_down_and_then_up |
| accepts and never answers | test_a_receiver_that_never_answers_costs_its_timeout_and_is_retried |
| endless body | test_an_endless_body_is_cut_and_the_success_stands |
| 429 with Retry-After: seconds, date, absurd | test_retry_after_is_honoured_and_clamped |
| 410 | test_gone_ends_the_callback |
| 302 | test_a_redirect_is_not_followed |
| 415 | test_a_refusal_parks_at_once |
| reset after the status line | test_a_reset_after_the_status_line_is_no_answer |
| one dead host among 20 | test_one_dead_host_among_twenty |
| a name that resolves to metadata | test_a_name_that_resolves_to_metadata_is_refused |
| kill -9 with 1,000 events waiting, receiver up afterwards | test_killed_with_a_thousand_events_waiting |
| 100,000 events waiting | test_memory_stays_flat_while_a_hundred_thousand_events_wait |

tests/integration/events/test_sender.py tests the sender's handling of single answers.
No engine is needed: the jobs have ended, only their events are pending.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobd.events.delivery.destination import destination_of
from jobd.events.delivery.settings import DispatcherSettings
from jobd.events.delivery.work_queue import UNSETTLED_PER_WORKER
from jobd.jobs.job_repository import number, row_of
from jobd.jobs.state.event_drafts import Draft, data_of
from jobd.jobs.state.new_record import new_record
from jobd.jobs.state.parts import Removal
from jobd.jobs.state.states import Done
from jobd.store.store import Store
from jobd.store.tables.rows import Callback, Transition
from jobd.wire.event import EXIT
from jobd.wire.job import JobSpec
from tests.support.daemon import DEADLINE_S, Daemon, until
from tests.support.misbehaving import Answer, Misbehaving, endless, reset_after_status, says, silent, then

pytestmark = pytest.mark.fast

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


@pytest.fixture
def misbehaving() -> Iterator[Make]:
    made: list[Misbehaving] = []

    def make(answer: Answer, **where: Any) -> Misbehaving:
        made.append(Misbehaving(answer, **where))
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture
def put(tmp_path: Path) -> Iterator[Put]:
    """Creates a jobd that is not started, with ended jobs whose events are pending: job -> (URL, count)."""
    made: list[Daemon] = []

    async def put(waiting: dict[str, tuple[str, int]], **environ: str) -> Daemon:
        daemon = Daemon(tmp_path / f"jobd{len(made)}", environ={**QUICK, **environ})
        made.append(daemon)
        (daemon.folder / "state").mkdir(parents=True)
        store = await Store.open(daemon.folder / "state" / "jobd.db")
        for name, (url, count) in waiting.items():
            await store.commit(ended(name, url, count))
        await store.close()
        return daemon

    yield put
    for daemon in made:
        if daemon.process is not None:
            daemon.process.kill()
            daemon.process.wait(DEADLINE_S)


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
    """Waits until nothing of a job is pending; returns its deliveries."""

    def look() -> Any:
        found = daemon.call("GET", f"/v1/jobs/{name}/deliveries?limit=1000").json["deliveries"]
        return found if found and all(one["state"] != "pending" for one in found) else None

    found: list[dict[str, Any]] = until(look, f"the deliveries of {name} are settled")
    return found


def states(found: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(one["state"], one["attempts"]) for one in found]


def numbers(receiver: Misbehaving) -> list[int]:
    return [int(event_id.rpartition("-")[2]) for event_id in receiver.ids]


def free_port() -> int:
    receiver = Misbehaving(OK)
    receiver.close()
    return receiver.port


@pytest.mark.fault(
    row="Receiver", injection="down for many cooldowns, then up", invariant="all events arrive in order, once"
)
async def test_down_and_then_up(put: Put, misbehaving: Make) -> None:
    port = free_port()
    daemon = (await put({"a": (f"http://127.0.0.1:{port}/", 50)}, DISPATCHER_MAX_REQUEUES="1000")).start()
    tried = partial(daemon.call, "GET", "/v1/jobs/a/deliveries?limit=1")
    until(lambda: tried().json["deliveries"][0]["attempts"] >= 10, "the delivery was tried often")
    receiver = misbehaving(OK, port=port)
    found = settled(daemon, "a")
    assert numbers(receiver) == list(range(1, 51))
    assert {state for state, _ in states(found)} == {"delivered"}
    assert {attempts for _, attempts in states(found[1:])} == {1}, "deliveries behind the first are not tried"


@pytest.mark.fault(
    row="Receiver",
    injection="accepts and never answers",
    invariant="costs the timeout, tried again, then parked",
)
async def test_a_receiver_that_never_answers_costs_its_timeout_and_is_retried(
    put: Put, misbehaving: Make
) -> None:
    receiver = misbehaving(silent)
    daemon = (
        await put({"a": (receiver.url, 1)}, DISPATCHER_MAX_RETRIES="1", DISPATCHER_HTTP_TIMEOUT="300ms")
    ).start()
    (one,) = settled(daemon, "a")
    assert (one["state"], one["attempts"]) == ("parked", 4)  # two rounds of two
    assert "no answer in time" in one["lastError"]
    assert len(receiver.ids) == 4


@pytest.mark.fault(row="Receiver", injection="endless body", invariant="cut after a few KiB, the 2xx stands")
async def test_an_endless_body_is_cut_and_the_success_stands(put: Put, misbehaving: Make) -> None:
    receiver = misbehaving(endless)
    daemon = (await put({"a": (receiver.url, 3)})).start()
    assert states(settled(daemon, "a")) == [("delivered", 1)] * 3
    assert numbers(receiver) == [1, 2, 3]


@pytest.mark.parametrize(
    ("header", "waits_s"),
    [("2", 2.0), ("date", 1.0), ("99999999999999999999", None), ("Fri, 31 Dec 9999 23:59:59 GMT", None)],
    ids=["seconds", "date", "absurd seconds", "absurd date"],
)
@pytest.mark.fault(
    row="Receiver",
    injection="429 with Retry-After: seconds, date, absurd",
    invariant="honoured; an hour at most",
)
async def test_retry_after_is_honoured_and_clamped(
    put: Put, misbehaving: Make, header: str, waits_s: float | None
) -> None:
    def busy(connection: Any, before: int) -> None:
        moment = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
        says(429, f"Retry-After: {moment if header == 'date' else header}")(connection, before)

    receiver = misbehaving(then(busy, 1, OK))
    daemon = (await put({"a": (receiver.url, 2)})).start()
    if waits_s is not None:
        assert [state for state, _ in states(settled(daemon, "a"))] == ["delivered"] * 2
        assert receiver.at[1] - receiver.at[0] >= waits_s  # not before the requested time
        assert numbers(receiver) == [1, 1, 2]
        return
    until(lambda: receiver.ids, "the first request")

    def put_off() -> Any:
        first, second = daemon.call("GET", "/v1/jobs/a/deliveries").json["deliveries"]
        return (first, second) if first["attempts"] else None

    first, second = until(put_off, "the delivery is postponed")
    again = datetime.fromisoformat(first["nextAttemptAt"]) - datetime.now(UTC)
    assert timedelta(minutes=50) < again <= timedelta(hours=1)
    assert (second["attempts"], second.get("nextAttemptAt")) == (0, None), "the next delivery keeps its place"


@pytest.mark.fault(
    row="Receiver", injection="410", invariant="nothing more of this job is sent; replay opens it again"
)
async def test_gone_ends_the_callback(put: Put, misbehaving: Make) -> None:
    receiver = misbehaving(then(says(410), 1, OK))
    daemon = (await put({"a": (receiver.url, 3), "b": (receiver.url, 1)})).start()
    found = {name: states(settled(daemon, name)) for name in ("a", "b")}
    ends = Counter(state for entries in found.values() for state, _ in entries)
    assert ends in ({"abandoned": 3, "delivered": 1}, {"abandoned": 1, "delivered": 3})  # either order
    gone = "a" if found["a"][0][0] == "abandoned" else "b"
    assert daemon.call("POST", f"/v1/jobs/{gone}/deliveries/replay").status == 202
    assert {state for state, _ in states(settled(daemon, gone))} == {"delivered"}


@pytest.mark.fault(row="Receiver", injection="302", invariant="not followed, a failed try, parked in the end")
async def test_a_redirect_is_not_followed(put: Put, misbehaving: Make) -> None:
    target = misbehaving(OK)
    receiver = misbehaving(says(302, f"Location: {target.url}"))
    daemon = (await put({"a": (receiver.url, 1)})).start()
    (one,) = settled(daemon, "a")
    assert (one["state"], one["attempts"], one["lastStatus"]) == ("parked", 8, 302)
    assert target.ids == []


@pytest.mark.fault(row="Receiver", injection="415", invariant="parked at once, the next one passes")
async def test_a_refusal_parks_at_once(put: Put, misbehaving: Make) -> None:
    receiver = misbehaving(then(says(415), 1, OK))
    daemon = (await put({"a": (receiver.url, 2)})).start()
    assert states(settled(daemon, "a")) == [("parked", 1), ("delivered", 1)]
    assert numbers(receiver) == [1, 2]


@pytest.mark.fault(
    row="Receiver", injection="reset after the status line", invariant="no answer: tried again"
)
async def test_a_reset_after_the_status_line_is_no_answer(put: Put, misbehaving: Make) -> None:
    receiver = misbehaving(then(reset_after_status, 2, OK))
    daemon = (await put({"a": (receiver.url, 2)})).start()
    assert states(settled(daemon, "a")) == [("delivered", 3), ("delivered", 1)]
    assert numbers(receiver) == [1, 1, 1, 2]


@pytest.mark.fault(
    row="Receiver", injection="one dead host among 20", invariant="the others get all while it waits"
)
async def test_one_dead_host_among_twenty(put: Put, misbehaving: Make) -> None:
    dead = misbehaving(silent)
    well = {f"w{n}": misbehaving(OK) for n in range(19)}
    waiting = {f"dead{n}": (dead.url, 5) for n in range(40)}
    waiting |= {name: (receiver.url, 10) for name, receiver in well.items()}
    daemon = (await put(waiting, DISPATCHER_HTTP_TIMEOUT="1h")).start()
    for name in well:
        assert states(settled(daemon, name)) == [("delivered", 1)] * 10
    assert all(numbers(receiver) == list(range(1, 11)) for receiver in well.values())
    assert 1 <= len(dead.ids) <= DispatcherSettings().workers // 2, (
        "the dead host uses at most a share of the workers"
    )
    found = daemon.call("GET", "/v1/jobs/dead0/deliveries").json["deliveries"]
    assert {one["state"] for one in found} == {"pending"}


RESOLVES = """
import socket

_real = socket.getaddrinfo


def _fake(host, port, *arguments, **options):
    if host in ("metadata.test", "both.test"):
        addresses = ["169.254.169.254", "fd00:ec2::254"] + (["127.0.0.1"] if host == "both.test" else [])
        return [entry for one in addresses for entry in _real(one, port, type=socket.SOCK_STREAM)]
    return _real(host, port, *arguments, **options)


socket.getaddrinfo = _fake
"""


@pytest.mark.fault(
    row="Receiver",
    injection="a name that resolves to metadata",
    invariant="refused before a connection, parked with why",
)
async def test_a_name_that_resolves_to_metadata_is_refused(
    put: Put, misbehaving: Make, tmp_path: Path
) -> None:
    # Only the name server is fake: the resolver, the policy and the connection are real.
    (tmp_path / "sitecustomize.py").write_text(RESOLVES)
    receiver = misbehaving(OK)
    waiting = {
        "bad": ("http://metadata.test/latest/meta-data", 2),
        "mixed": (f"http://both.test:{receiver.port}/", 1),
    }
    daemon = (await put(waiting, PYTHONPATH=str(tmp_path))).start()
    found = settled(daemon, "bad")
    assert states(found) == [("parked", 0)] * 2
    assert "metadata" in found[0]["lastError"]
    assert states(settled(daemon, "mixed")) == [("delivered", 1)], "only the allowed address is used"


@pytest.mark.fault(
    row="Crash",
    injection="kill -9 with 1,000 events waiting, receiver up afterwards",
    invariant="all arrive, in order per job, repeats under their ids only",
)
async def test_killed_with_a_thousand_events_waiting(put: Put, misbehaving: Make) -> None:
    port = free_port()
    waiting = {f"j{n}": (f"http://127.0.0.1:{port}/", 100) for n in range(10)}
    daemon = (await put(waiting, DISPATCHER_MAX_REQUEUES="1000")).start()
    tries = partial(daemon.call, "GET", "/v1/jobs/j0/deliveries?limit=1")
    until(lambda: tries().json["deliveries"][0]["attempts"] > 1, "the receiver was found down")
    daemon.kill()

    def slow(connection: Any, before: int) -> None:
        time.sleep(0.002)
        OK(connection, before)

    receiver = misbehaving(slow, port=port)
    daemon.start()
    until(lambda: len(receiver.ids) >= 300, "deliveries are under way")
    daemon.kill()
    known = len(receiver.ids)
    daemon.start()
    for name in waiting:
        assert {state for state, _ in states(settled(daemon, name))} == {"delivered"}
    firsts = list(dict.fromkeys(receiver.ids))
    assert len(firsts) == 1000
    for uid in {event_id.rpartition("-")[0] for event_id in firsts}:
        order = [int(one.rpartition("-")[2]) for one in firsts if one.startswith(f"{uid}-")]
        assert order == list(range(1, 101)), "a receiver that drops repeats sees each job in order"
    repeats = len(receiver.ids) - 1000
    assert repeats <= (UNSETTLED_PER_WORKER + 1) * DispatcherSettings().workers
    assert 300 <= known <= len(receiver.ids)


MORE_MB = 24
"""The most extra peak memory with 100,000 events on disk, compared with ten."""


def peak_mb(daemon: Daemon) -> float:
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


@pytest.mark.fault(
    row="Exhaustion",
    injection="100,000 events waiting, host down and then up",
    invariant=f"at most {MORE_MB} MB more than with ten",
)
async def test_memory_stays_flat_while_a_hundred_thousand_events_wait(put: Put, misbehaving: Make) -> None:
    async def peak_with(jobs: int, each: int) -> float:
        port = free_port()
        url = f"http://127.0.0.1:{port}/"
        daemon = await put({f"j{n}": (url, each) for n in range(jobs)}, DISPATCHER_MAX_REQUEUES="1000")
        daemon.start()
        first = partial(daemon.call, "GET", "/v1/jobs/j0/deliveries?limit=1")

        def was_tried() -> bool:
            return int(first().json["deliveries"][0]["attempts"]) > 0

        until(was_tried, "the host was found down")
        receiver = misbehaving(OK, port=port)
        enough = min(jobs * each, 5000)
        until(lambda: len(receiver.ids) >= enough, "events are sent")
        peak = peak_mb(daemon)
        assert daemon.stop() == 0
        return peak

    few, many = await peak_with(1, 10), await peak_with(200, 500)
    assert many - few <= MORE_MB, (few, many)
