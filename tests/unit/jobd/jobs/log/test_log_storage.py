"""From raw lines to frames and log events: numbers, cursors, the size limit; batching changes nothing."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.jobs.log.log_storage import Batch, log_events, mark_incomplete
from jobd.jobs.log.log_storage import append_lines as append_batch
from jobd.jobs.log.stored_frames import decode_frame
from jobd.jobs.port.model import LOG_START, LogBatch, LogCursor, RawLine, StreamName
from jobd.jobs.record.new_record import new_record
from jobd.jobs.record.parts import LogState
from jobd.jobs.record.record import Record
from jobd.jobs.record.record_form import decode_record, encode_record
from jobd.jobs.state.event_drafts import Draft
from jobd.wire.job import JobSpec
from jobd.wire.views.log import LogLine
from tests.support.fakes.clock import FakeClock

MUCH = 1 << 20
SPEC = JobSpec(id="a", image="b", meta={"k": "v"})


def line(text: str, stream: StreamName = "stdout", at: int = 1, **fields: Any) -> RawLine:
    return RawLine(stream=stream, time=f"t{at}", text=text, **fields)


def append_lines(record: Record, lines: list[RawLine], max_bytes: int) -> Batch:
    return append_batch(record, LogBatch(lines, LOG_START), max_bytes)


def frames(data: bytes) -> list[LogLine]:
    return [decode_frame(frame) for frame in data.splitlines()]


def test_lines_are_numbered_over_both_streams_and_over_batches(job: Callable[..., Any]) -> None:
    first = append_lines(job().record, [line("one", at=1), line("two", "stderr", 2)], MUCH)
    assert (first.first_seq, first.last_seq, first.line_count) == (1, 2, 2)
    second = append_lines(first.record, [line("", at=3)], MUCH)
    assert (second.first_seq, second.last_seq) == (3, 3)
    assert frames(first.frames + second.frames) == [
        LogLine(seq=1, time="t1", stream="stdout", line="one"),
        LogLine(seq=2, time="t2", stream="stderr", line="two"),
        LogLine(seq=3, time="t3", stream="stdout", line=""),
    ]
    assert second.record.log.seq == 3
    assert second.record.log.size_bytes == len(first.frames + second.frames) - 3


def test_the_cursor_moves_on_even_if_lines_were_dropped(job: Callable[..., Any]) -> None:
    cursor = LogCursor(b'{"anything":["of","the","engine"]}')
    read = LogBatch([line("one", at=1), line("x" * 2000, "stderr", 2), line("three", "stderr", 3)], cursor)
    made = append_batch(job().record, read, 100)
    assert made.record.attempt.reading.cursor == cursor
    assert decode_record(encode_record(made.record)).attempt.reading.cursor == cursor
    assert job().record.attempt.reading.cursor == LOG_START


def test_a_missing_end_is_marked_once_and_adds_no_line(job: Callable[..., Any]) -> None:
    now = FakeClock().now()
    made = append_lines(job().record, [line("one")], MUCH)
    marked = mark_incomplete(made.record, "gone", now)
    (frame,) = frames(marked.frames)
    assert (frame.seq, frame.line, frame.gap, frame.partial) == (2, "", "gone", True)
    assert (marked.first_seq, marked.last_seq, marked.record.log.seq) == (2, 2, 2)
    assert marked.record.log.size_bytes == made.record.log.size_bytes + len(marked.frames) - 1
    _, (draft,) = log_events(marked.record, SPEC, made.frames + marked.frames)
    assert (draft.data["lines"], draft.data["gap"]) == (["one", "[jobd: gone]"], "gone")
    again = mark_incomplete(marked.record, "gone", now)
    assert (again.frames, again.line_count, again.record.log.seq) == (b"", 0, 2)


def test_a_full_log_gets_no_second_mark(job: Callable[..., Any]) -> None:
    full = append_lines(job().record, [line("x" * 500)], 200).record
    marked = mark_incomplete(full, "gone", FakeClock().now())
    assert (marked.frames, marked.record.log.seq) == (b"", full.log.seq)
    assert marked.record.attempt.reading.incomplete


def test_an_empty_line_after_a_gap_is_a_line(job: Callable[..., Any]) -> None:
    made = append_lines(job().record, [line("", gap="lost")], MUCH)
    _, (draft,) = log_events(made.record, SPEC, made.frames)
    assert draft.data["lines"] == ["[jobd: lost]", ""]


def test_each_stream_gets_one_event_with_its_pending_lines(job: Callable[..., Any]) -> None:
    made = append_lines(job().record, [line("a"), line("b", "stderr"), line("c")], MUCH)
    assert (made.record.log.seq, made.record.log.announced) == (3, 0)
    record, drafts = log_events(made.record, SPEC, made.frames)
    assert record.log.announced == 3
    assert [draft.type for draft in drafts] == ["orchestrator.job.log"] * 2
    assert [draft.data for draft in drafts] == [
        {"jobId": "a", "lines": ["a", "c"], "stream": "stdout", "meta": {"k": "v"}},
        {"jobId": "a", "lines": ["b"], "stream": "stderr", "meta": {"k": "v"}},
    ]
    assert log_events(record, SPEC, made.frames) == (record, ())


def test_a_record_of_an_older_version_gets_events_for_later_lines_alone(job: Callable[..., Any]) -> None:
    old = decode_record(b'{"uid":"u","id":"a","created_at":"2030-01-01T00:00:00Z","log_seq":7}')
    assert old.log == LogState(seq=7, announced=7)
    made = append_lines(old, [line("new")], MUCH)
    assert (made.record.log.seq, made.record.log.announced) == (8, 7)


def test_bytes_that_are_no_text_and_a_missing_newline_are_stored(
    job: Callable[..., Any],
) -> None:
    raw = bytes(range(256))
    text = raw.decode("utf-8", "replace")
    lines = [line(text, raw=raw), line("cut", partial=True, newline=False), line("end", newline=False)]
    made = append_lines(job().record, lines, MUCH)
    assert [(frame.line, frame.raw, frame.unterminated) for frame in frames(made.frames)] == [
        (text, raw, False),
        ("cut", None, False),
        ("end", None, True),
    ]
    _, (draft,) = log_events(made.record, SPEC, made.frames)
    assert draft.data["lines"] == [text, "cut", "end"]


def test_a_full_log_stores_no_bytes_of_the_line_beyond_its_limit(job: Callable[..., Any]) -> None:
    made = append_lines(job().record, [line("x" * 200, raw=b"x" * 200, newline=False)], 100)
    (frame,) = frames(made.frames)
    assert (frame.line, frame.raw, frame.unterminated) == ("", None, False)


def test_a_gap_and_a_cut_line_are_marked(job: Callable[..., Any]) -> None:
    made = append_lines(job().record, [line("long", partial=True), line("next", gap="lines were lost")], MUCH)
    assert frames(made.frames) == [
        LogLine(seq=1, time="t1", stream="stdout", line="long", partial=True),
        LogLine(seq=2, time="t1", stream="stdout", line="next", gap="lines were lost"),
    ]
    _, (draft,) = log_events(made.record, SPEC, made.frames)
    assert draft.data["lines"] == ["long", "[jobd: lines were lost]", "next"]
    assert draft.data["gap"] == "lines were lost"


def test_a_full_log_says_so_once_and_drops_the_rest(job: Callable[..., Any]) -> None:
    made = append_lines(job().record, [line("x" * 50), line("y" * 500), line("z")], 200)
    shown = frames(made.frames)
    assert [(frame.seq, frame.line, frame.partial) for frame in shown] == [
        (1, "x" * 50, False),
        (2, "", True),
    ]
    assert shown[1].gap == "the log is full at 200 bytes; later lines are dropped"
    assert made.record.log.is_full
    _, (draft,) = log_events(made.record, SPEC, made.frames)
    assert draft.data["lines"] == [
        "x" * 50,
        "[jobd: the log is full at 200 bytes; later lines are dropped]",
    ]
    cursor = LogCursor(b"[9]")
    later = append_batch(made.record, LogBatch([line("more", at=9)], cursor), 200)
    assert (later.frames, later.line_count) == (b"", 0)
    assert later.record.attempt.reading.cursor == cursor


def test_no_lines_are_no_change(job: Callable[..., Any]) -> None:
    before = job().record
    made = append_lines(before, [], MUCH)
    assert made == Batch(before, 1, 0, b"")


LINES = st.lists(
    st.builds(
        line,
        text=st.text(st.characters(codec="utf-8", max_codepoint=0x2FFF), max_size=30),
        stream=st.sampled_from(["stdout", "stderr"]),
        at=st.integers(1, 9),
        partial=st.booleans(),
        gap=st.none() | st.just("lost"),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(LINES, st.lists(st.integers(1, 4), max_size=12), st.sampled_from([100, 300, MUCH]))
def test_any_batching_of_the_same_lines_gives_the_same_log(
    lines: list[RawLine], sizes: list[int], limit: int
) -> None:
    start = new_record(SPEC, now=FakeClock().now(), owner=None, digest="", has_spool=False)
    whole = append_lines(start, lines, limit)
    record, parts, left = start, b"", lines
    events_at = [draw_at for draw_at in sizes if draw_at % 2]
    events: list[Draft] = []
    waiting = b""
    for size in [*sizes, len(lines)]:
        batch = append_lines(record, left[:size], limit)
        assert batch.first_seq == record.log.seq + 1
        record, parts, left = batch.record, parts + batch.frames, left[size:]
        waiting += batch.frames
        if size in events_at:  # some lines get their event at once, others with later lines
            record, drafts = log_events(record, SPEC, waiting)
            events += drafts
            waiting = b""
    record, drafts = log_events(record, SPEC, waiting)
    events += drafts
    assert parts == whole.frames
    after_whole, whole_drafts = log_events(whole.record, SPEC, whole.frames)
    assert record == after_whole
    for stream in ("stdout", "stderr"):
        sent = [text for draft in events if draft.data["stream"] == stream for text in draft.data["lines"]]
        assert sent == [
            text for draft in whole_drafts if draft.data["stream"] == stream for text in draft.data["lines"]
        ]
    assert [frame.seq for frame in frames(parts)] == list(range(1, record.log.seq + 1))
    longest = max((len(raw.text) for raw in lines), default=0) * 6
    assert record.log.size_bytes <= limit + longest + 300
