"""Lines on a terminal and in a pipe: who says them, and what of them a terminal is given."""

import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.connection.log_frames import Frame, Unfinished
from jobctl.output.output import json_bytes, json_text
from jobctl.output.printer import Printer

HOSTILE = "\x1b]0;title\x07a\x9b2J\x1b[31mred\rfake\x7f"


class Stream:
    def __init__(self, *, terminal: bool) -> None:
        self.buffer = io.BytesIO()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def flush(self) -> None:
        pass

    def write(self, text: str) -> None:
        self.buffer.write(text.encode())

    @property
    def text(self) -> str:
        return self.buffer.getvalue().decode()


def streams(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> tuple[Stream, Stream]:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    out, err = Stream(terminal=terminal), Stream(terminal=terminal)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    return out, err


def test_a_pipe_gets_unchanged_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = streams(monkeypatch, terminal=False)
    Printer().show([Frame(seq=1, line=HOSTILE), Frame(seq=2, line=HOSTILE, stream="stderr")])
    assert out.text == err.text == HOSTILE + "\n"


def test_a_terminal_gets_only_text_and_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = streams(monkeypatch, terminal=True)
    Printer().show([Frame(seq=1, line=HOSTILE), Frame(seq=2, line=HOSTILE, stream="stderr")])
    assert out.text == err.text == "a\x1b[31mred\rfake\x1b[0m\n"


def test_raw_prints_unfiltered_bytes_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = streams(monkeypatch, terminal=True)
    Printer(raw=True).show([Frame(seq=1, line=HOSTILE)])
    assert out.text == HOSTILE + "\n"


def test_a_pipe_gets_binary_output_without_an_added_newline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, err = streams(monkeypatch, terminal=False)
    Printer().show(
        [
            Frame(seq=1, line="�\0", raw=b"\xff\0"),
            Frame(seq=2, line="", stream="stderr"),
            Frame(seq=3, line="cut", partial=True),
            Frame(seq=4, line="end", unterminated=True),
        ]
    )
    assert (out.buffer.getvalue(), err.buffer.getvalue()) == (b"\xff\0\ncutend", b"\n")


LINES = st.lists(
    st.builds(
        Frame,
        seq=st.integers(1, 9),
        stream=st.sampled_from(["stdout", "stderr"]),
        line=st.text(max_size=5),
        raw=st.none() | st.binary(max_size=5),
        partial=st.booleans(),
        unterminated=st.booleans(),
    )
    | st.builds(Frame, seq=st.integers(1, 9), line=st.text(max_size=5)),
    max_size=8,
)


@given(st.lists(LINES, max_size=4))
def test_a_pipe_gets_the_bytes_of_all_lines_however_they_arrive(batches: list[list[Frame]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        out, err = streams(patch, terminal=False)
        printer = Printer()
        for batch in batches:
            printer.show(batch)
    frames = [frame for batch in batches for frame in batch]
    assert out.buffer.getvalue() == b"".join(frame.data for frame in frames if frame.stream == "stdout")
    assert err.buffer.getvalue() == b"".join(frame.data for frame in frames if frame.stream == "stderr")


def test_a_line_completes_what_was_printed_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = streams(monkeypatch, terminal=False)
    printer = Printer()
    printer.show([Frame(unfinished=Unfinished(stream="stdout", at=0, raw=b"ab"))])
    printer.show([Frame(seq=1, line="abc"), Frame(seq=2, line="d")])
    assert out.text == "abc\nd\n"


def test_an_empty_line_after_a_gap_is_printed_and_a_mark_alone_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for prefix in ("", "a | "):
        out, err = streams(monkeypatch, terminal=False)
        frames = [Frame(seq=1, gap="lost"), Frame(seq=2, line="b"), Frame(seq=3, gap="full", partial=True)]
        Printer(prefix=prefix).show(frames)
        assert out.text == f"{prefix}\n{prefix}b\n"
        assert ("lost" in err.text, "full" in err.text) == (True, True)


def test_a_terminal_gets_a_replacement_character_for_binary_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = streams(monkeypatch, terminal=True)
    printer = Printer()
    printer.show([Frame(seq=1, line="�", raw=b"a\x9b2J\xe6\xbc", partial=True)])
    printer.show([Frame(seq=2, line="�", raw=b"\xa2", unterminated=True)])
    assert out.text == "a�2J漢"


def test_lines_with_a_prefix_stay_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = streams(monkeypatch, terminal=False)
    for name in ("a", "b"):
        Printer(prefix=f"{name} | ").show([Frame(seq=1, line="end", unterminated=True)])
    assert out.text == "a | end\nb | end\n"


def test_sequences_are_found_over_the_parts_of_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = streams(monkeypatch, terminal=True)
    printer = Printer()
    printer.show([Frame(seq=1, line="a\x1b]52;c;", partial=True)])
    printer.show([Frame(seq=2, line="ZXZpbA==\x07b")])
    assert out.text == "ab\n"


def test_a_colour_is_reset_after_each_write_and_restored_in_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = streams(monkeypatch, terminal=True)
    printer = Printer()
    printer.show([Frame(seq=1, line="\x1b[8mhid", partial=True), Frame(seq=2, line="plain", stream="stderr")])
    printer.show([Frame(seq=3, line="den")])
    assert out.text == "\x1b[8mhid\x1b[0m\x1b[8mden\x1b[0m\n"
    assert err.text == "plain\n"


def test_no_job_can_imitate_the_prefix_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = streams(monkeypatch, terminal=True)
    Printer(prefix="web-1 | ").show([Frame(seq=1, line="x\rweb-2 | all is well")])
    assert out.text == "web-1 | x\rweb-1 | web-2 | all is well\n"


def test_json_escapes_control_characters_and_keeps_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "é漢 " + "".join(map(chr, range(0x7F, 0xA1))) + "\x1b\0"
    for terminal in (False, True):
        out, _ = streams(monkeypatch, terminal=terminal)
        Printer(as_json=True).show([Frame(seq=1, line=line)])
        assert not any(c == "\x7f" or "\x80" <= c <= "\x9f" or c < " " for c in out.text.rstrip("\n"))
        assert json.loads(out.text)["line"] == line


def test_json_of_trees_is_escaped_the_same_way() -> None:
    value = {"a": "".join(map(chr, range(0x100))) + "\ud800漢"}
    for text in (json_text(value), json_text(value, indent=2)):
        assert json.loads(text) == value
        assert not any(c < " " or "\x7f" <= c <= "\x9f" for c in text.replace("\n", ""))
        assert "漢" in text
    encoded = json.dumps({"a": "\x80\x9f\xa0ł\x7f"}, ensure_ascii=False).encode()
    assert json.loads(json_bytes(encoded)) == json.loads(encoded)
