"""jobd is killed at random times, or is down while jobs end: codes, logs and events stay true."""

import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import docker
import msgspec
import pytest

from jobd.events.delivery.queues.destination import destination_of
from jobd.jobs.job_repository import number, row_of
from jobd.jobs.record.new_record import new_record
from jobd.jobs.record.parts import Removal
from jobd.jobs.record.record import Record
from jobd.jobs.record.states import Done
from jobd.jobs.state.event_drafts import Draft, data_of
from jobd.store.store import Store
from jobd.store.tables.rows import Callback as StoredCallback
from jobd.store.tables.rows import Transition
from jobd.wire.job import JobSpec
from tests.support.daemon import DEADLINE_S, FAILPOINTS, Daemon, Receiver, until
from tests.support.engine.starts import Starts
from tests.support.invariants import ARTIFACT, EXIT, check_events, delete, delivered
from tests.support.wire import ChoosingReceiver

JOBS, KILLS = 50, 8
OUTPUT = [{"id": "out", "type": "read", "in": "out", "depends": "job", "when": "always"}]
QUEUED_JOBS, QUEUED_EACH = 10, 100


def running(daemon: Daemon, job_id: str) -> None:
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json.get("status") == "running", f"{job_id} runs")


def worker_state(client: docker.DockerClient, job_id: str) -> dict[str, Any]:
    state: dict[str, Any] = client.api.inspect_container(f"job-{job_id}-worker")["State"]
    return state


@pytest.mark.fault(
    row="Crash",
    injection=f"kill -9 at {KILLS} random moments while {JOBS} jobs run",
    invariant="each job as in the failpoint row",
)
@pytest.mark.alone
def test_random_kills(
    make_daemon: Callable[..., Daemon],
    receiver: Receiver,
    docker_client: docker.DockerClient,
    starts: Starts,
    worker_image: str,
    job_id: str,
) -> None:
    seed = int(os.environ.get("FAULT_SEED") or random.randrange(1 << 32))
    print(f"FAULT_SEED={seed} repeats this run")
    times = random.Random(seed)
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "4"}).start()
    wanted = [
        {
            "id": f"{job_id}-{n}",
            "image": worker_image,
            "command": f"echo {n}; sleep 0.{n % 5}; echo {n} > out; exit {n % 4}",
            "artifacts": OUTPUT if n % 5 == 0 else [],
            "callback": {"url": receiver.url(f"/{job_id}-{n}")},
        }
        for n in range(JOBS)
    ]
    waiting = list(wanted)
    for _ in range(KILLS):
        end = time.monotonic() + times.uniform(0.05, 2.5)
        while time.monotonic() < end:
            if waiting:
                answer = daemon.call("POST", "/v1/jobs", waiting[0], {"Idempotency-Key": "k"})
                assert answer.status in (200, 202), answer.body
                waiting.pop(0)
            else:
                time.sleep(0.01)
        daemon.kill()
        daemon.start()
    for spec in waiting:
        assert daemon.call("POST", "/v1/jobs", spec).status in (202, 409)
    for n in range(JOBS):
        view = daemon.ended(f"{job_id}-{n}")
        assert view.get("exitCode") == n % 4, view
        status = "failed" if n % 4 else "completed"
        events = delivered(receiver, f"/{job_id}-{n}")
        check_events(events, exit_code=n % 4, status=status)
        read = [event["data"]["content"] for event in events if event["type"] == ARTIFACT]
        assert read == ([n] if n % 5 == 0 else [])
        assert [line["line"] for line in daemon.log_lines(f"{job_id}-{n}")[:-1]] == [str(n)]
    starts.settle(f"mark-{job_id}")
    assert {starts.count(f"{job_id}-{n}") for n in range(JOBS)} == {1}
    for n in range(JOBS):
        delete(docker_client, daemon, f"{job_id}-{n}")


@pytest.mark.fast
@pytest.mark.fault(
    row="Crash", injection="the job ends while jobd is down", invariant="its own code and whole log"
)
def test_the_job_ends_while_jobd_is_down(
    make_daemon: Callable[..., Daemon],
    receiver: Receiver,
    docker_client: docker.DockerClient,
    worker_image: str,
    job_id: str,
) -> None:
    daemon = make_daemon().start()
    daemon.submit(
        id=job_id,
        image=worker_image,
        command="echo first; sleep 1; echo second; printf last; exit 9",
        callback={"url": receiver.url(f"/{job_id}")},
    )
    running(daemon, job_id)
    daemon.kill()
    until(lambda: worker_state(docker_client, job_id)["Status"] == "exited", "the worker has ended")
    daemon.start()
    assert daemon.ended(job_id)["exitCode"] == 9
    check_events(delivered(receiver, f"/{job_id}"), exit_code=9, status="failed")
    assert [line["line"] for line in daemon.log_lines(job_id)[:-1]] == ["first", "second", "last"]


@pytest.mark.fast
@pytest.mark.fault(
    row="Crash", injection="the deadline passes while jobd is down", invariant="the job ends by its timeout"
)
def test_the_deadline_passes_while_jobd_is_down(
    make_daemon: Callable[..., Daemon], docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    daemon = make_daemon().start()
    daemon.submit(
        id=job_id, image=worker_image, command="trap 'exit 0' TERM; sleep 600 & wait", timeoutSeconds=1
    )
    running(daemon, job_id)
    daemon.kill()
    began = datetime.fromisoformat(worker_state(docker_client, job_id)["StartedAt"][:26] + "+00:00")
    until(lambda: datetime.now(UTC) > began + timedelta(seconds=1.5), "the deadline has passed")
    assert worker_state(docker_client, job_id)["Status"] == "running"
    daemon.start()
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"], view["exitCode"]) == ("failed", "timeout", 0)


@pytest.mark.fault(
    row="Crash",
    injection="killed after the receiver's 2xx, before its ack is stored",
    invariant="sent again under the same id, nothing else is repeated",
)
def test_killed_between_a_delivery_and_its_record(
    make_daemon: Callable[..., Daemon], receiver: Receiver, worker_image: str, job_id: str
) -> None:
    environ = {"JOBD_FAILPOINT": "after-send:event:3"}
    daemon = make_daemon(environ=environ, module=FAILPOINTS).start()
    daemon.submit(
        id=job_id, image=worker_image, command="echo x", callback={"url": receiver.url(f"/{job_id}")}
    )
    assert daemon.process is not None
    assert daemon.process.wait(DEADLINE_S) == -9
    before = receiver.events(f"/{job_id}")
    daemon.environ, daemon.module = {}, "jobd"
    daemon.start()
    check_events(delivered(receiver, f"/{job_id}"), exit_code=0, status="completed")
    ids = [event["id"] for event in receiver.events(f"/{job_id}")]
    assert ids.count(before[-1]["id"]) == 2, "jobd repeats the delivery in flight"


def has_all(receiver: ChoosingReceiver, path: str) -> bool:
    return len(receiver.at(path)) >= QUEUED_EACH


def queued_events(url: str) -> list[Transition]:
    """Returns ended jobs whose events are pending."""
    made = []
    for n in range(QUEUED_JOBS):
        spec = msgspec.convert(
            {"id": f"queued-{n}", "image": "none", "callback": {"url": f"{url}{n}"}}, JobSpec
        )
        now = datetime.now(UTC)
        record: Record = new_record(spec, now=now, owner=None, digest="", has_spool=False)
        drafts = [Draft(EXIT, data_of(record, spec, exitCode=code)) for code in range(QUEUED_EACH)]
        record, events = number(record, spec, drafts, now)
        record = record.with_state(Done(finished_at=now, removal=Removal()))
        stored = StoredCallback(url=f"{url}{n}", key=None, destination=destination_of(url))
        row = row_of(record, spec, msgspec.json.encode(spec))
        made.append(Transition(job=row, events=events, callback=stored, claim_id=True))
    return made


@pytest.mark.fault(
    row="Crash",
    injection="SIGTERM with 1,000 events queued",
    invariant="ends at once; sends the rest after the next start, in order",
)
async def test_sigterm_with_a_thousand_events_queued(make_daemon: Callable[..., Daemon]) -> None:
    def slowly(path: str, before: int) -> int:
        time.sleep(0.05)
        return 204

    receiver = ChoosingReceiver(slowly)
    daemon = make_daemon()
    (daemon.folder / "state").mkdir(parents=True)
    store = await Store.open(daemon.folder / "state" / "jobd.db")
    for transition in queued_events(receiver.url("/")):
        await store.commit(transition)
    await store.close()
    try:
        daemon.start()
        until(lambda: len(receiver.requests) > 40, "deliveries are under way")
        assert daemon.stop() == 0
        assert len(receiver.requests) < QUEUED_JOBS * QUEUED_EACH
        sent = len(receiver.requests)
        receiver.choose = lambda path, before: 204
        daemon.start()
        for n in range(QUEUED_JOBS):
            until(partial(has_all, receiver, f"/{n}"), f"all events of job {n}")
            numbers = [event["jobsequence"] for event in receiver.at(f"/{n}")]
            assert numbers == list(range(1, QUEUED_EACH + 1)), "a graceful end repeats no event"
        assert sent <= QUEUED_JOBS * QUEUED_EACH
    finally:
        receiver.close()
