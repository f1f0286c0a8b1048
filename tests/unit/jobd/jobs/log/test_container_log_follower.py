"""What a sidecar prints, line by line: reports are handled, damaged ones told, what is neither passed over."""

import asyncio
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobd.jobs.log import container_log_follower
from jobd.jobs.log.container_log_follower import ReportLines
from jobd.jobs.port.model import LOG_START, LogBatch, RawLine
from jobd.wire import report
from jobd.wire.report import Heading, Report, encode_report

DONE = report.ArtifactDone(n=7, artifact_id="a-1", artifact_type="read", status="success", content=["x"])
TIME = "2030-01-01T00:00:00Z"
LINE = encode_report(DONE).decode().rstrip("\n")


class Heard:
    """What came of the lines, in order."""

    def __init__(self) -> None:
        self.all: list[Report | tuple[str, Heading]] = []
        self.lines = ReportLines(self._handle, self._unread, lambda: "job-1")

    async def _handle(self, said: Report) -> None:
        self.all.append(said)

    async def _unread(self, why: str, heading: Heading) -> None:
        self.all.append((why, heading))

    def take(self, *lines: tuple[str, bool]) -> list[Any]:
        raw = [RawLine("stdout", TIME, text, partial) for text, partial in lines]
        asyncio.run(self.lines.take(LogBatch(raw, LOG_START)))
        return self.all


@settings(max_examples=120, deadline=None)
@given(
    st.integers(0, len(LINE) - 1),
    st.sampled_from(["", "\x00", "}", '"', "\\", "\ufffd", "noise", "NaN"]),
    st.booleans(),
)
@example(0, "noise", False)
@example(len(LINE) - 1, "", True)
def test_a_damaged_report_is_never_nothing(at: int, damage: str, cut: bool) -> None:
    damaged = LINE[:at] + damage + ("" if cut else LINE[at + 1 :])
    heard = Heard().take((damaged, False))
    assert len(heard) == 1 or "{" not in damaged
    for each in heard:
        if isinstance(each, tuple):
            why, heading = each
            assert "cannot be read" in why
            assert len(why) < 2000
            assert heading.artifact_id is None or heading.n is not None


def test_the_beginning_of_a_damaged_report_tells_what_it_was_about() -> None:
    line = LINE.replace('"x"', r'"\udce9"')
    ((why, heading),) = Heard().take((line, False))
    assert heading == Heading(type="artifact", n=7, artifact_id="a-1")
    assert LINE[:40] in why
    ((_, heading),) = Heard().take((LINE[: LINE.index("artifactId")], False))
    assert heading == Heading(type="artifact", n=7)
    ((_, heading),) = Heard().take(("{", False))
    assert heading == Heading()


def test_a_report_too_deep_for_the_reader_is_told_and_does_not_end_the_reading() -> None:
    deep = LINE.replace('"x"', "[" * 100_000 + "]" * 100_000)
    heard = Heard().take((deep, False), (LINE, False))
    assert isinstance(heard[0], tuple)
    assert heard[1:] == [DONE]


def test_noise_is_passed_over() -> None:
    assert Heard().take(("", False), ("warning: no locale", False), ("\ufffd\x00", False), (LINE, False)) == [
        DONE
    ]


def test_a_report_in_parts_is_one_and_stderr_is_none() -> None:
    heard = Heard()
    asyncio.run(heard.lines.take(LogBatch([RawLine("stderr", TIME, LINE)], LOG_START)))
    assert heard.take((LINE[:30], True), (LINE[30:], False)) == [DONE]


def test_a_line_over_the_bound_is_told_once_and_what_follows_is_heard(monkeypatch: Any) -> None:
    monkeypatch.setattr(container_log_follower, "MAX_REPORT_BYTES", 100)
    part = "{" + "é" * 49
    heard = Heard().take((part, True), (part, True), (part, True), ("rest {", False), (LINE, False))
    assert isinstance(heard[0], tuple)
    assert heard[1:] == [DONE]


def test_reading_anew_forgets_what_was_read_in_part() -> None:
    heard = Heard()
    heard.take((LINE[:30], True))
    heard.lines.restart()
    assert heard.take((LINE, False)) == [DONE]
