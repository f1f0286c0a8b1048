"""Misbehaving receivers, each a real server, against a real jobd process whose database has pending events.

tests/integration/events/http/test_sender.py tests the sender's handling of single answers.
No engine is needed: the jobs have ended, only their events are pending.
"""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import until
from tests.support.delivery.misbehaving import endless, reset_after_status, says, silent, then
from tests.support.delivery.pending_events import OK, Make, Put, numbers, settled, states

pytestmark = pytest.mark.fast


@pytest.mark.fault(
    row="Receiver", injection="down for many cooldowns, then up", invariant="all events arrive in order, once"
)
async def test_down_and_then_up(put: Put, misbehaving: Make, free_port: Callable[[], int]) -> None:
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
