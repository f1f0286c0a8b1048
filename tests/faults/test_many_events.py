"""Many pending events: one dead host, kill -9, and bounded memory."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jobd.events.delivery.queues.work_queue import UNSETTLED_PER_WORKER
from jobd.events.delivery.settings import DispatcherSettings
from tests.support.daemon import Daemon, until
from tests.support.delivery.misbehaving import silent
from tests.support.delivery.pending_events import OK, Make, Put, numbers, settled, states

pytestmark = pytest.mark.fast


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


@pytest.mark.fault(
    row="Crash",
    injection="kill -9 with 1,000 events waiting, receiver up afterwards",
    invariant="all arrive, in order per job, repeats under their ids only",
)
async def test_killed_with_a_thousand_events_waiting(
    put: Put, misbehaving: Make, free_port: Callable[[], int]
) -> None:
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
async def test_memory_stays_flat_while_a_hundred_thousand_events_wait(
    put: Put, misbehaving: Make, free_port: Callable[[], int]
) -> None:
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
