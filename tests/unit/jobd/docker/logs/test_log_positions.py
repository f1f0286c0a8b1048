from jobd.docker.logs.log_cursors import Position, positions_after
from jobd.docker.logs.log_parser import LogReader
from jobd.docker.logs.log_positions import Missing
from jobd.docker.logs.stream_lines import GAP, LINE_BYTES
from jobd.jobs.port.model import StreamName
from tests.unit.jobd.docker.logs.driver_log import Entry, entries_of, read, stamp, wire


def test_lines_that_share_a_time_are_told_apart_by_the_bytes_taken() -> None:
    entries: list[Entry] = [
        ("stdout", stamp(0), b"a\n"),
        ("stdout", stamp(0), b"a\n"),
        ("stdout", stamp(0), b"b\n"),
    ]
    whole = read(wire(entries))
    assert [line.position.taken for line in whole] == [2, 4, 6]
    assert [line.text for line in read(wire(entries), {"stdout": whole[1].position})] == ["b"]


def test_a_position_is_identified_by_its_text_and_not_by_its_time_alone() -> None:
    entries: list[Entry] = [
        ("stdout", stamp(1), b"a\n"),
        ("stdout", stamp(0), b"b\n"),
        ("stdout", stamp(1), b"c\n"),
        ("stdout", stamp(2), b"d\n"),
    ]
    whole = read(wire(entries))
    for at in range(len(whole) + 1):
        assert read(wire(entries), positions_after({}, whole[:at])) == whole[at:]


def test_a_position_in_a_run_without_its_beginning_is_not_confused_with_another() -> None:
    long: Entry = ("stdout", stamp(1), b"x" * LINE_BYTES)
    entries: list[Entry] = [("stdout", stamp(0), b"first\n"), long, long, long, long]
    first, cut, *_ = read(wire(entries))
    assert cut.partial
    reader = LogReader(positions_after({}, [first, cut]))
    assert reader.feed(wire(entries[2:])) == []
    assert not reader.located


def test_a_cursor_of_an_older_version_is_found_by_time_and_count() -> None:
    entries = entries_of([("stdout", b"a\n"), ("stderr", b"b\n"), ("stdout", b"c\n"), ("stderr", b"d\n")])
    cursors: dict[StreamName, Position] = {
        "stdout": Position(stamp(0), 2),
        "stderr": Position(stamp(1), 2),
    }
    assert [line.text for line in read(wire(entries), cursors)] == ["c", "d"]


def test_lines_that_rotated_away_leave_a_mark() -> None:
    entries = entries_of([("stdout", b"%d\n" % number) for number in range(5)])
    cursor = read(wire(entries))[0].position
    left = wire(entries[3:])
    reader = LogReader({"stdout": cursor})
    assert reader.feed(left) == []
    assert reader.missing == {"stdout": Missing.GONE}
    got = LogReader({"stdout": cursor}, reader.missing).feed(left)
    assert [(line.text, line.gap) for line in got] == [("3", GAP), ("4", None)]


def test_a_stream_read_up_to_the_others_position_survives_the_loss_of_its_own_last_line() -> None:
    entries = entries_of([("stdout", b"a\n"), ("stderr", b"b\n"), ("stdout", b"c\n"), ("stderr", b"d\n")])
    got = read(wire(entries[1:]), positions_after({}, read(wire(entries))[:2]))
    assert [(line.text, line.gap) for line in got] == [("c", None), ("d", None)]


def test_an_unfinished_line_keeps_its_stream_behind_the_other() -> None:
    entries: list[Entry] = [
        ("stdout", stamp(0), b"half"),
        ("stderr", stamp(1), b"e\n"),
        ("stdout", stamp(0), b" done\n"),
    ]
    (first,) = LogReader({}).feed(wire(entries[:2]))
    assert (first.text, first.level) == ("e", False)
    assert [line.text for line in read(wire(entries), positions_after({}, [first]))] == ["half done"]


def test_a_stream_that_was_silent_so_far_is_read_from_its_start() -> None:
    entries = entries_of([("stdout", b"a\n"), ("stderr", b"late\n"), ("stdout", b"b\n")])
    got = read(wire(entries), {"stdout": Position(stamp(2), 2)})
    assert [(line.stream, line.text) for line in got] == [("stderr", "late")]
