"""The positions after lines, and the stored cursors of this and of older versions."""

from datetime import UTC, datetime

import msgspec
import pytest

from jobd.docker.logs.log_cursors import Position, PositionedLine, decoded, encoded, positions_after
from jobd.jobs.port.errors import LogUnreadable
from jobd.jobs.port.model import LOG_START, LogCursor, StreamName
from jobd.jobs.record.attempt import Attempt
from jobd.jobs.record.parts import LogReading
from jobd.jobs.record.record import Record
from jobd.jobs.record.record_form import decode_record, encode_record
from jobd.jobs.record.states import Queued

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def line(stream: StreamName, position: Position, *, level: bool = False) -> PositionedLine:
    return PositionedLine(stream, position.timestamp, "text", position=position, level=level)


def test_each_stream_has_its_position() -> None:
    lines = [
        line("stdout", Position("t1", 3)),
        line("stderr", Position("t2", 4)),
        line("stderr", Position("t3", 5)),
    ]
    assert positions_after({}, lines) == {"stdout": Position("t1", 3), "stderr": Position("t3", 5)}
    assert positions_after({}, []) == {}


def test_a_level_line_moves_the_position_of_both_streams() -> None:
    positions = positions_after({}, [line("stdout", Position("t1", 3, 77), level=True)])
    later = Position("t2", 4, 99)
    positions = positions_after(positions, [line("stderr", later, level=True)])
    assert positions == {"stdout": Position("t1", 3, 77, later), "stderr": later}
    positions = positions_after(positions, [line("stdout", Position("t3", 6, 5))])
    assert positions == {"stdout": Position("t3", 6, 5), "stderr": later}


def test_the_stored_form_is_what_older_versions_read() -> None:
    positions: dict[StreamName, Position] = {
        "stdout": Position("t1", 3, 77, Position("t2", 4, 99)),
        "stderr": Position("t2", 4, 99),
    }
    cursor = encoded(positions)
    assert bytes(cursor) == b'{"stdout":["t1",3,77,["t2",4,99,null]],"stderr":["t2",4,99,null]}'
    attempt = Attempt(state=Queued(since=NOW), reading=LogReading(cursor=cursor))
    stored = encode_record(Record(uid="u", id="a", created_at=NOW, attempt=attempt))
    assert b'"cursor":' + bytes(cursor) in stored
    assert decoded(decode_record(stored).attempt.reading.cursor) == positions


@pytest.mark.parametrize(
    ("stored", "positions"),
    [
        (b'{"stdout":["t1",5],"stderr":["t2"]}', {"stdout": Position("t1", 5), "stderr": Position("t2")}),
        (
            b'{"stdout":["t1",3,77,["t2",4,99,null]]}',
            {"stdout": Position("t1", 3, 77, Position("t2", 4, 99))},
        ),
        (b"{}", {}),
    ],
)
def test_cursors_of_older_versions_are_read(stored: bytes, positions: dict[StreamName, Position]) -> None:
    record = b'{"uid":"u","id":"a","created_at":"2026-01-02T03:04:05Z","log_cursors":' + stored + b"}"
    assert decoded(decode_record(record).attempt.reading.cursor) == positions


def test_a_record_without_a_cursor_begins_at_the_start_and_stays_without() -> None:
    old = b'{"uid":"u","id":"a","created_at":"2026-01-02T03:04:05Z"}'
    record = decode_record(old)
    assert (record.attempt.reading.cursor, decoded(LOG_START)) == (LOG_START, {})
    assert "cursor" not in msgspec.json.decode(encode_record(record))["attempt"]["reading"]


def test_a_cursor_of_another_engine_cannot_be_read() -> None:
    with pytest.raises(LogUnreadable):
        decoded(LogCursor(b'{"lines":3}'))
