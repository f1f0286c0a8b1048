"""Events as a receiver's own CloudEvents library reads them."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.v1.http import from_http
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.wire import event

MOMENT = datetime(2031, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
TEXT = st.text(st.characters(codec="utf-8", max_codepoint=0x2FFF), max_size=12)
DATA = st.dictionaries(
    TEXT, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT | st.lists(TEXT), max_size=4
)


def made(**fields: Any) -> bytes:
    whole = {
        "event_id": "u1-1",
        "type": event.EXIT,
        "job_id": "a",
        "job_uid": "u1",
        "timestamp": MOMENT,
        "sequence": 3,
        "data": {"jobId": "a", "exitCode": 0},
    }
    return event.encode(**{**whole, **fields})


def test_the_types_and_their_sources_are_those_of_the_contract() -> None:
    assert event.SOURCES == {
        "orchestrator.job.start": "orchestrator/service",
        "orchestrator.job.log": "orchestrator/service",
        "orchestrator.job.exit": "orchestrator/service",
        "orchestrator.job.retry": "orchestrator/service",
        "orchestrator.job.artifact": "orchestrator/sidecar",
        "orchestrator.job.complete": "orchestrator/service",
    }


@pytest.mark.parametrize("kind", event.SOURCES)
def test_each_event_is_a_cloudevent_1_0_to_the_official_library(kind: str) -> None:
    body = made(type=kind)
    read = from_structured(HTTPMessage(headers=event.binding_headers(body), body=body), JSONFormat())
    assert read.get_specversion() == "1.0"
    assert read.get_id() == "u1-1"
    assert read.get_type() == kind
    assert read.get_source() == event.SOURCES[kind]
    assert read.get_subject() == "a"
    assert read.get_time() == MOMENT
    assert read.get_datacontenttype() == "application/json"
    assert read.get_extension("jobsequence") == 3
    assert read.get_extension("jobuid") == "u1"
    assert read.get_data() == {"jobId": "a", "exitCode": 0}


def test_a_receiver_may_ignore_the_repeated_headers() -> None:
    body = made()
    read = from_http(event.binding_headers(body), body)
    assert (read["id"], read["type"], read["jobsequence"]) == ("u1-1", event.EXIT, 3)
    assert read.get_data() == {"jobId": "a", "exitCode": 0}


def test_the_headers_repeat_the_bodys_attributes() -> None:
    assert event.binding_headers(made()) == {
        "Content-Type": "application/cloudevents+json",
        "Ce-Specversion": "1.0",
        "Ce-Id": "u1-1",
        "Ce-Type": "orchestrator.job.exit",
        "Ce-Source": "orchestrator/service",
        "Ce-Subject": "a",
        "Ce-Time": "2031-02-03T04:05:06.000789Z",
        "Ce-Jobuid": "u1",
        "Ce-Jobsequence": "3",
    }


def test_an_event_outside_the_filter_has_no_number() -> None:
    body = made(sequence=None)
    assert "jobsequence" not in json.loads(body)
    assert "Ce-Jobsequence" not in event.binding_headers(body)


def test_an_unknown_event_type_is_refused() -> None:
    with pytest.raises(KeyError):
        made(type="orchestrator.job.other")


def test_headers_of_an_invalid_body_are_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        event.binding_headers(b"{}")


@settings(max_examples=60, deadline=None)
@given(TEXT, TEXT, DATA)
def test_any_text_and_data_round_trip(event_id: str, job_id: str, data: dict[str, Any]) -> None:
    body = made(event_id=event_id, job_id=job_id, data=data)
    read = json.loads(body)
    assert (read["id"], read["subject"], read["data"]) == (event_id, job_id, data)
    headers = event.binding_headers(body)
    assert all(value.isascii() and value.isprintable() and " " not in value for value in headers.values())
    assert unquote(headers["Ce-Id"]) == event_id
    assert unquote(headers["Ce-Subject"]) == job_id


@pytest.mark.parametrize(
    "changes", [{}, {"sequence": None}, {"job_id": "gr\u00fcn 100%"}, {"event_id": "a\r\nX-Evil: 1"}]
)
def test_the_lines_of_a_request_are_its_headers(changes: dict[str, Any]) -> None:
    body = made(**changes)
    headers = event.binding_headers(body)
    assert event.binding_lines(body) == "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    assert len(event.binding_lines(body).split("\r\n")) == len(headers) + 1


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_an_event_without_a_trace_is_as_it_was() -> None:
    keys = [
        "specversion",
        "id",
        "type",
        "source",
        "subject",
        "time",
        "datacontenttype",
        "jobuid",
        "data",
        "jobsequence",
    ]
    assert list(json.loads(made())) == keys
    assert not any("trace" in name.lower() for name in event.binding_headers(made()))


@pytest.mark.parametrize("sequence", [3, None])
@pytest.mark.parametrize("state", [None, 'a=1,b@c=x y"z%'])
def test_a_trace_is_an_extension_in_body_and_headers(sequence: int | None, state: str | None) -> None:
    body = made(trace=(TRACE, state), sequence=sequence)
    headers = event.binding_headers(body)
    read = from_structured(HTTPMessage(headers=headers, body=body), JSONFormat())
    assert (read.get_extension("traceparent"), read.get_extension("tracestate")) == (TRACE, state)
    assert headers["Ce-Traceparent"] == TRACE
    assert unquote(headers["Ce-Tracestate"]) == state if state else "Ce-Tracestate" not in headers
    lines = dict(line.split(": ", 1) for line in event.binding_lines(body).splitlines())
    assert lines == headers
