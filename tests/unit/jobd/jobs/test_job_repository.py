"""Drafts become numbered events, and a record becomes a row."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.jobs.job_repository import number, row_of
from jobd.jobs.record.attempt import Attempt
from jobd.jobs.record.parts import CancelRequest, Removal
from jobd.jobs.record.record import Record
from jobd.jobs.record.record_form import decode_record
from jobd.jobs.record.states import Done, Queued, State
from jobd.jobs.state.event_drafts import Draft
from jobd.store.tables.rows import NewEvent
from jobd.wire import event
from jobd.wire.job import Callback, JobSpec
from tests.support.fakes.clock import FakeClock

NOW = FakeClock().now()
RECORD = Record(uid="u1", id="a", created_at=NOW, attempt=Attempt(state=Queued(since=NOW)))

QUEUED, DONE = Queued(since=NOW), Done(finished_at=NOW)


def spec(*events: str, callback: bool = True) -> JobSpec:
    return JobSpec(
        id="a", image="b", callback=Callback(url="http://h", events=list(events)) if callback else None
    )


def drafts(*types: str) -> list[Draft]:
    return [Draft(kind, {"jobId": "a"}) for kind in types]


def sequences(events: Any) -> list[int | None]:
    return [msgspec.json.decode(made.body, type=event.CloudEvent).jobsequence for made in events]


def test_event_numbers_continue_from_the_record() -> None:
    record, events = number(RECORD, spec(), drafts(event.START, event.LOG), NOW)
    assert (record.events.count, record.events.sequence) == (2, 2)
    record, more = number(record, spec(), drafts(event.EXIT), NOW)
    assert [made.event_id for made in (*events, *more)] == ["u1-1", "u1-2", "u1-3"]
    assert sequences([*events, *more]) == [1, 2, 3]
    assert all(made.deliver for made in (*events, *more))


def test_a_filtered_event_is_kept_without_a_number_and_not_delivered() -> None:
    record, events = number(RECORD, spec(event.EXIT), drafts(event.START, event.EXIT, event.COMPLETE), NOW)
    assert [made.deliver for made in events] == [False, True, False]
    assert sequences(events) == [None, 1, None]
    assert (record.events.count, record.events.sequence) == (3, 1)


def test_without_a_callback_all_events_are_numbered_and_none_is_delivered() -> None:
    _, events = number(RECORD, spec(callback=False), drafts(event.START, event.EXIT), NOW)
    assert [made.deliver for made in events] == [False, False]
    assert sequences(events) == [1, 2]


def test_an_event_with_a_key_has_the_same_id_from_any_sender() -> None:
    by_sidecar = Draft(event.ARTIFACT, {}, "artifact-x", True)
    by_jobd = Draft(event.ARTIFACT, {}, "artifact-x", False)
    record, (sent,) = number(RECORD, spec(), [by_sidecar], NOW)
    assert (sent.event_id, sent.deliver, record.events.sequence) == ("u1-artifact-x", False, 0)
    record, (ours,) = number(RECORD, spec(), [by_jobd], NOW)
    assert (ours.event_id, ours.deliver, record.events.sequence) == ("u1-artifact-x", True, 1)


def test_the_body_matches_the_row() -> None:
    _, (made,) = number(RECORD, spec(), [Draft(event.EXIT, {"jobId": "a", "exitCode": 7})], NOW)
    body = msgspec.json.decode(made.body)
    assert (body["id"], body["type"], body["subject"], body["jobuid"]) == (
        made.event_id,
        made.type,
        "a",
        "u1",
    )
    assert body["time"] == event.rfc3339(NOW)
    assert body["data"] == {"jobId": "a", "exitCode": 7}
    assert made.created_at == NOW


def test_without_drafts_the_record_is_unchanged() -> None:
    assert number(RECORD, spec(), [], NOW) == (RECORD, ())


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(list(event.SOURCES)), max_size=4), max_size=5),
    st.sets(st.sampled_from(list(event.SOURCES))),
)
def test_numbers_have_no_gaps_and_ids_are_unique(commits: list[list[str]], wanted: set[str]) -> None:
    record = RECORD
    everything: list[NewEvent] = []
    for types in commits:
        record, events = number(record, spec(*wanted), drafts(*types), NOW)
        everything += events
    passed = [made for made in everything if made.deliver]
    assert [made.type for made in passed] == [
        kind for types in commits for kind in types if not wanted or kind in wanted
    ]
    assert sequences(passed) == list(range(1, len(passed) + 1))
    assert len({made.event_id for made in everything}) == len(everything)


@pytest.mark.parametrize(
    ("state", "cancel", "live", "hidden", "holds_id"),
    [
        (QUEUED, None, True, False, True),
        (DONE, None, True, False, True),
        (DONE.change(removal=Removal()), None, False, False, False),
        (QUEUED, CancelRequest(delete=True), True, True, True),
        (DONE.change(removal=Removal(), cancelled=True), CancelRequest(delete=True), False, True, False),
        (QUEUED, CancelRequest(), True, False, True),
    ],
)
def test_a_rows_flags_follow_from_its_record(
    state: State, cancel: CancelRequest | None, live: bool, hidden: bool, holds_id: bool
) -> None:
    record = RECORD.with_state(state).change(cancel=cancel)
    row = row_of(record, spec(), b"spec")
    assert (row.live, row.hidden, row.holds_id) == (live, hidden, holds_id)
    assert (row.uid, row.id, row.status, row.created_at) == ("u1", "a", record.status, NOW)
    assert decode_record(row.record) == record
    assert row.spec == b"spec"


def test_a_rows_labels_are_the_specs(job: Callable[..., Any]) -> None:
    walk = job(labels={"team": "x"})
    assert row_of(walk.record, walk.spec).labels == {"team": "x"}
    assert row_of(walk.record, walk.spec).owner == "1000"
