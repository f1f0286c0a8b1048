"""Lines of any bytes: stored without loss and in little room, sent as text with the bytes beside it where they are no text."""

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from jobd.jobs.log.log_frames import PART_BYTES, decoded, on_wire, stored
from jobd.wire.view import LogLine


def line_of(raw: bytes, seq: int = 1, *, unterminated: bool = False) -> LogLine:
    """The line that a batch makes of these bytes."""
    try:
        return LogLine(seq=seq, time="t", stream="stdout", line=raw.decode(), unterminated=unterminated)
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "replace")
        return LogLine(seq=seq, time="t", stream="stdout", line=text, raw=raw, unterminated=unterminated)


raws = st.binary(max_size=300) | st.text(max_size=300).map(str.encode) | st.integers(0, 3000).map(bytes)


@given(st.lists(raws, max_size=8), st.booleans())
@example([bytes(2000), b"\xff", b'"raw":"x"', "漢".encode() * 1000, b""], True)
def test_every_line_is_sent_as_it_was_taken(raw: list[bytes], unterminated: bool) -> None:
    lines = [line_of(each, seq, unterminated=unterminated) for seq, each in enumerate(raw)]
    kept = [stored(line) for line in lines]
    assert [decoded(frame) for frame in kept] == lines
    sent = b"".join(on_wire(b"".join(frame + b"\n" for frame in kept)))
    assert [msgspec.json.decode(frame, type=LogLine) for frame in sent.splitlines()] == lines


@given(raws)
@example(bytes(65536))
@example(bytes(range(128, 256)) * 100)
def test_no_bytes_take_much_more_room_than_they_are(raw: bytes) -> None:
    assert len(stored(line_of(raw))) <= len(raw) * 4 // 3 + 700


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=300))
def test_text_is_stored_as_it_is_sent(text: str) -> None:
    line = line_of(text.encode())
    assert stored(line) == msgspec.json.encode(line)


def test_a_form_of_before_that_has_both_is_read() -> None:
    line = line_of(b"a\xff")
    before = msgspec.json.encode(line)
    assert decoded(before) == line
    assert b"".join(on_wire(before + b"\n")) == before + b"\n"


def test_what_is_sent_comes_in_parts_that_are_bounded() -> None:
    for raw in (b"x" * 200_000, bytes(200_000), b"\xff" * 300):
        frames = (stored(line_of(raw)) + b"\n") * 700 if len(raw) < 1000 else stored(line_of(raw)) + b"\n"
        sent = list(on_wire(frames))
        assert all(0 < len(part) <= PART_BYTES for part in sent)
        assert all(len(part) == PART_BYTES for part in sent[:-1])
