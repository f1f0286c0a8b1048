"""Lines of any bytes: stored without loss and in little space, sent as text, with the bytes if they are no text."""

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from jobd.jobs.log.stored_frames import PART_BYTES, decode_frame, encode_frame, wire_parts
from jobd.wire.views.log import LogLine


def line_of(raw: bytes, seq: int = 1, *, unterminated: bool = False) -> LogLine:
    """The line that a batch makes from these bytes."""
    try:
        return LogLine(seq=seq, time="t", stream="stdout", line=raw.decode(), unterminated=unterminated)
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "replace")
        return LogLine(seq=seq, time="t", stream="stdout", line=text, raw=raw, unterminated=unterminated)


raws = st.binary(max_size=300) | st.text(max_size=300).map(str.encode) | st.integers(0, 3000).map(bytes)


@given(st.lists(raws, max_size=8), st.booleans())
@example([bytes(2000), b"\xff", b'"raw":"x"', "漢".encode() * 1000, b""], True)
def test_every_line_is_sent_as_it_was_stored(raw: list[bytes], unterminated: bool) -> None:
    lines = [line_of(each, seq, unterminated=unterminated) for seq, each in enumerate(raw)]
    kept = [encode_frame(line) for line in lines]
    assert [decode_frame(frame) for frame in kept] == lines
    sent = b"".join(wire_parts(b"".join(frame + b"\n" for frame in kept)))
    assert [msgspec.json.decode(frame, type=LogLine) for frame in sent.splitlines()] == lines


@given(raws)
@example(bytes(65536))
@example(bytes(range(128, 256)) * 100)
def test_the_stored_form_is_not_much_longer_than_the_bytes(raw: bytes) -> None:
    assert len(encode_frame(line_of(raw))) <= len(raw) * 4 // 3 + 700


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=300))
def test_text_is_stored_as_it_is_sent(text: str) -> None:
    line = line_of(text.encode())
    assert encode_frame(line) == msgspec.json.encode(line)


def test_a_stored_form_of_an_older_version_is_decoded() -> None:
    line = line_of(b"a\xff")
    before = msgspec.json.encode(line)
    assert decode_frame(before) == line
    assert b"".join(wire_parts(before + b"\n")) == before + b"\n"


def test_the_parts_that_are_sent_are_bounded() -> None:
    for raw in (b"x" * 200_000, bytes(200_000), b"\xff" * 300):
        frames = (
            (encode_frame(line_of(raw)) + b"\n") * 700
            if len(raw) < 1000
            else encode_frame(line_of(raw)) + b"\n"
        )
        sent = list(wire_parts(frames))
        assert all(0 < len(part) <= PART_BYTES for part in sent)
        assert all(len(part) == PART_BYTES for part in sent[:-1])
