"""Each line of a log is printed once, also where a connection repeats lines."""

from hypothesis import given
from hypothesis import strategies as st

from jobctl.connection.log_frames import Frame, Unfinished
from jobctl.connection.log_stream import fresh

UNFINISHED = Frame(unfinished=Unfinished(stream="stdout", at=0, raw=b"a"))


@given(st.lists(st.integers(1, 30), unique=True).map(sorted), st.integers(0, 30), st.sets(st.integers(0, 30)))
def test_only_new_lines_are_printed(numbers: list[int], seen: int, between: set[int]) -> None:
    batch = [Frame(seq=number) for number in numbers]
    for place in sorted(between, reverse=True):
        batch.insert(place, UNFINISHED)
    frames, last = fresh(batch, seen)
    assert frames == [frame for frame in batch if frame.unfinished or frame.seq > seen]
    assert last == max([seen, *numbers])
