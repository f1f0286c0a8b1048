"""What `listen` makes of a request: events one at a time or in a batch, again or new, verified or not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.commands.events.listen import EventHandler, events_of
from jobctl.receiving.receiver import Received
from jobd.wire.signing import signature_headers

BATCH = {"Content-Type": "application/cloudevents-batch+json; charset=utf-8"}


def event(number: int = 1) -> dict[str, Any]:
    return {
        "id": f"u-{number}", "type": "orchestrator.job.exit", "subject": "a", "time": "2030-01-31T08:00:00.123456Z",
        "data": {"exitCode": 3},
    }  # fmt: skip


def request(tree: Any, headers: dict[str, str] | None = None) -> Received:
    return Received("/", headers or {}, json.dumps(tree).encode())


def event_handler(keys: list[str] | None = None, **more: Any) -> EventHandler:
    return EventHandler(keys or [], **{"status": None, "count": None, "as_json": False, **more})


def test_a_line_has_time_type_job_and_data(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    handler = event_handler()
    assert handler.handle(request(event())).status == 204
    assert capsysbinary.readouterr().out == b"08:00:00.123  exit      a  exitCode=3\n"
    handler.handle(request(event()))
    assert b"seen before" in capsysbinary.readouterr().out
    assert handler.summary() == "2 events, 1 of them repeated"


def test_each_event_of_a_batch_is_printed_and_counted(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    handler = event_handler(count=3, as_json=True)
    assert not handler.handle(request(event(1))).last
    reply = handler.handle(request([event(2), event(3)], BATCH))
    assert reply.last
    lines = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert [line["event"]["id"] for line in lines] == ["u-1", "u-2", "u-3"]
    assert {line["verified"] for line in lines} == {None}


def test_a_wrong_signature_is_shown_counted_and_answered_with_401(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_900_000_000.0)
    body = json.dumps(event()).encode()
    signed = Received("/", signature_headers("k", "u-1", 1_900_000_000, body), body)
    assert event_handler(["k"]).handle(signed).status == 204
    assert b"[verified]" in capsysbinary.readouterr().out
    handler = event_handler(["other"])
    assert handler.handle(signed).status == 401
    handler.handle(signed)
    shown = capsysbinary.readouterr()
    assert shown.out.count(b"[NOT VERIFIED]") == 2
    assert shown.err.count(b"not verified: Webhook-Signature: the key is wrong") == 1
    assert handler.bad == 2
    assert event_handler(["other"], status=503).handle(signed).status == 503
    event_handler().handle(signed)
    assert b"[signed]" in capsysbinary.readouterr().out


def test_a_body_without_an_event_is_noted_and_refused(capsys: pytest.CaptureFixture[str]) -> None:
    handler = event_handler()
    assert handler.handle(request([event()])).status == 400, "an array is a batch only where it says so"
    assert handler.handle(Received("/x", {}, b"\x1b[31m")).status == 400
    assert "POST /x: 5 bytes without an event: ?[31m" in capsys.readouterr().err
    assert handler.events == 0


@given(st.binary(max_size=50), st.sampled_from([{}, BATCH]))
def test_any_body_is_read_without_an_error(body: bytes, headers: dict[str, str]) -> None:
    found = events_of(Received("/", headers, body))
    assert found is None or all("id" in each for each in found)
