"""The positions after lines, and the stored cursors of this and of older versions."""

from datetime import UTC, datetime

import msgspec
import pytest

from jobd.docker.logs.log_cursors import Place, PlacedLine, decoded, encoded, places_after
from jobd.jobs.port.errors import LogUnreadable
from jobd.jobs.port.model import LOG_START, LogCursor, StreamName
from jobd.jobs.state.parts import LogReading
from jobd.jobs.state.record import Attempt, Record
from jobd.jobs.state.record_form import decode_record, encode_record
from jobd.jobs.state.states import Queued

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def line(stream: StreamName, place: Place, *, level: bool = False) -> PlacedLine:
    return PlacedLine(stream, place.timestamp, "text", place=place, level=level)


def test_each_stream_has_its_place() -> None:
    lines = [line("stdout", Place("t1", 3)), line("stderr", Place("t2", 4)), line("stderr", Place("t3", 5))]
    assert places_after({}, lines) == {"stdout": Place("t1", 3), "stderr": Place("t3", 5)}
    assert places_after({}, []) == {}


def test_a_level_line_moves_the_place_of_both_streams() -> None:
    places = places_after({}, [line("stdout", Place("t1", 3, 77), level=True)])
    later = Place("t2", 4, 99)
    places = places_after(places, [line("stderr", later, level=True)])
    assert places == {"stdout": Place("t1", 3, 77, later), "stderr": later}
    places = places_after(places, [line("stdout", Place("t3", 6, 5))])
    assert places == {"stdout": Place("t3", 6, 5), "stderr": later}


def test_the_stored_form_is_what_older_versions_read() -> None:
    places: dict[StreamName, Place] = {
        "stdout": Place("t1", 3, 77, Place("t2", 4, 99)),
        "stderr": Place("t2", 4, 99),
    }
    cursor = encoded(places)
    assert bytes(cursor) == b'{"stdout":["t1",3,77,["t2",4,99,null]],"stderr":["t2",4,99,null]}'
    attempt = Attempt(state=Queued(since=NOW), reading=LogReading(cursor=cursor))
    stored = encode_record(Record(uid="u", id="a", created_at=NOW, attempt=attempt))
    assert b'"cursor":' + bytes(cursor) in stored
    assert decoded(decode_record(stored).attempt.reading.cursor) == places


@pytest.mark.parametrize(
    ("stored", "places"),
    [
        (b'{"stdout":["t1",5],"stderr":["t2"]}', {"stdout": Place("t1", 5), "stderr": Place("t2")}),
        (
            b'{"stdout":["t1",3,77,["t2",4,99,null]]}',
            {"stdout": Place("t1", 3, 77, Place("t2", 4, 99))},
        ),
        (b"{}", {}),
    ],
)
def test_cursors_of_older_versions_are_read(stored: bytes, places: dict[StreamName, Place]) -> None:
    record = b'{"uid":"u","id":"a","created_at":"2026-01-02T03:04:05Z","log_cursors":' + stored + b"}"
    assert decoded(decode_record(record).attempt.reading.cursor) == places


def test_a_record_without_a_cursor_begins_at_the_start_and_stays_without() -> None:
    old = b'{"uid":"u","id":"a","created_at":"2026-01-02T03:04:05Z"}'
    record = decode_record(old)
    assert (record.attempt.reading.cursor, decoded(LOG_START)) == (LOG_START, {})
    assert "cursor" not in msgspec.json.decode(encode_record(record))["attempt"]["reading"]


def test_a_cursor_of_another_engine_cannot_be_read() -> None:
    with pytest.raises(LogUnreadable):
        decoded(LogCursor(b'{"lines":3}'))
