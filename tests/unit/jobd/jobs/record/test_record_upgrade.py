"""Records of jobd 0.1 in every phase: each decodes, and has the same next action and view as in that version.

jobd 0.1 created `tests/fixtures/records_form_1.jsonl`: one job per line, with that version's next action and view. Never change its
lines.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobd.jobs.job_repository import row_of
from jobd.jobs.port.model import ContainerFacts, Observation
from jobd.jobs.record.flat_record import FlatRecord
from jobd.jobs.record.record import Record
from jobd.jobs.record.record_form import decode_record, encode_record
from jobd.jobs.state.next_action import next_action
from jobd.jobs.view import view_of
from jobd.store.sqlite import database
from jobd.wire.job import JobSpec
from tests.unit.jobd.jobs.conftest import START, container

FIXTURE = Path(__file__).parents[4] / "fixtures" / "records_form_1.jsonl"


LATER_S = (0, 11, 4000)
RENAMED = {"Pull": "Prepare", "Create": "Prepare"}
"""That version's actions whose names have changed since."""


class Case(msgspec.Struct):
    """One job of that version. `asks`: its next action `LATER_S` after `now`, by observed containers; "any": for any observation."""

    name: str
    record: msgspec.Raw
    spec: JobSpec
    now: datetime
    asks: dict[str, list[str]]
    view: dict[str, Any]
    row: dict[str, Any]


CASES = [msgspec.json.decode(line, type=Case) for line in FIXTURE.read_bytes().splitlines()]


def named(case: Case) -> str:
    return case.name


def looks(attempt: int) -> dict[str, Observation | None]:
    def seen(state: str, **fields: Any) -> ContainerFacts:
        return container(state, attempt=attempt, **fields)

    over = seen("ended", exit_code=0, finished_at=START + timedelta(seconds=9))
    return {
        "any": None,
        "unknown": None,
        "none": Observation(None, None),
        "created": Observation(seen("created"), seen("created")),
        "sidecar runs": Observation(seen("created"), seen("running")),
        "both run": Observation(seen("running"), seen("running")),
        "worker ended": Observation(over, seen("running")),
        "both ended": Observation(over, over),
    }


def opened(case: Case) -> Record:
    return decode_record(bytes(case.record))


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_stored_job_has_the_same_next_action(case: Case) -> None:
    record = opened(case)
    for name, asks in case.asks.items():
        for later_s, words in zip(LATER_S, asks, strict=True):
            seen = looks(record.attempt.number)[name]
            asked = next_action(record, seen, case.now + timedelta(seconds=later_s))
            fields: dict[str, object] = msgspec.to_builtins(asked)
            words = RENAMED.get(words, words)
            assert " ".join([type(asked).__name__, *(f"{k}={v}" for k, v in fields.items())]) == words


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_stored_job_has_the_same_view(case: Case) -> None:
    record = opened(case)
    position = 1 if record.phase == "queued" else None
    view = view_of(record, case.spec, queue_position=position, progress=None, retention_s=900.0)
    assert msgspec.to_builtins(view) == case.view
    row = row_of(record, case.spec)
    assert {name: msgspec.to_builtins(getattr(row, name)) for name in case.row} == case.row


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_next_change_stores_form_2(case: Case) -> None:
    record = opened(case)
    stored = encode_record(record)
    assert msgspec.json.decode(stored)["form"] == 2
    assert decode_record(stored) == record


@pytest.mark.parametrize("case", CASES, ids=named)
def test_reading_the_log_continues_at_the_old_versions_cursor(case: Case) -> None:
    cursors = msgspec.json.decode(case.record).get("log_cursors", {})
    assert msgspec.json.decode(opened(case).attempt.reading.cursor) == cursors


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_version_that_knows_only_form_1_refuses_form_2(case: Case) -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(encode_record(opened(case)), type=FlatRecord)
    assert database.migrations()[-1][0] >= 6, "and refuses the whole database"


def test_the_stored_jobs_are_of_every_state() -> None:
    states = {type(opened(case).state).__name__ for case in CASES}
    assert states == {
        "Queued",
        "Pulling",
        "LoadingInputs",
        "Running",
        "DrainingLog",
        "DeliveringOutputs",
        "CollectingOutputs",
        "Done",
    }
