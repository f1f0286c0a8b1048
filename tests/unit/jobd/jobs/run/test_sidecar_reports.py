"""The lines that a sidecar prints: reports are handled, damaged reports are reported, other lines are dropped."""

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobd.jobs.port.model import LOG_START, LogBatch, RawLine
from jobd.jobs.run import sidecar_reports
from jobd.jobs.run.sidecar_reports import SidecarReports
from jobd.jobs.state.facts import ReportUnread
from jobd.wire import report
from jobd.wire.report import Heading, Report, encode_report

DONE = report.ArtifactDone(n=7, artifact_id="a-1", artifact_type="read", status="success", content=["x"])
LINE = encode_report(DONE).decode().rstrip("\n")


class Handled:
    """The reports and the unreadable lines that were handled, in order."""

    def __init__(self) -> None:
        self.all: list[Report | tuple[str, Heading]] = []
        self.together: list[int] = []
        self.reports = SidecarReports(self._on_reports, lambda: "job-1")

    async def _on_reports(self, reports: Sequence[Report | ReportUnread], size_bytes: int) -> None:
        assert size_bytes > 0
        self.together.append(len(reports))
        self.all += [(one.why, one.heading) if isinstance(one, ReportUnread) else one for one in reports]

    def feed(self, *lines: tuple[str, bool]) -> list[Any]:
        raw = [RawLine("stdout", "2030-01-01T00:00:00Z", text, partial) for text, partial in lines]
        asyncio.run(self.reports.feed(LogBatch(raw, LOG_START)))
        return self.all


@settings(max_examples=120, deadline=None)
@given(
    st.integers(0, len(LINE) - 1),
    st.sampled_from(["", "\x00", "}", '"', "\\", "\ufffd", "noise", "NaN"]),
    st.booleans(),
)
@example(0, "noise", False)
@example(len(LINE) - 1, "", True)
def test_a_damaged_report_is_never_dropped(at: int, damage: str, cut: bool) -> None:
    damaged = LINE[:at] + damage + ("" if cut else LINE[at + 1 :])
    handled = Handled().feed((damaged, False))
    assert len(handled) == 1 or "{" not in damaged
    for each in handled:
        if isinstance(each, tuple):
            why, heading = each
            assert "cannot be read" in why
            assert len(why) < 2000
            assert heading.artifact_id is None or heading.n is not None


def test_a_damaged_report_keeps_the_heading_at_its_start() -> None:
    line = LINE.replace('"x"', r'"\udce9"')
    ((why, heading),) = Handled().feed((line, False))
    assert heading == Heading(type="artifact", n=7, artifact_id="a-1")
    assert LINE[:40] in why
    ((_, heading),) = Handled().feed((LINE[: LINE.index("artifactId")], False))
    assert heading == Heading(type="artifact", n=7)
    ((_, heading),) = Handled().feed(("{", False))
    assert heading == Heading()


def test_a_report_nested_too_deeply_is_unreadable_and_later_reports_are_handled() -> None:
    deep = LINE.replace('"x"', "[" * 100_000 + "]" * 100_000)
    handled = Handled().feed((deep, False), (LINE, False))
    assert isinstance(handled[0], tuple)
    assert handled[1:] == [DONE]


def test_lines_of_other_programs_are_dropped() -> None:
    assert Handled().feed(
        ("", False), ("warning: no locale", False), ("\ufffd\x00", False), (LINE, False)
    ) == [DONE]


def test_a_report_in_parts_is_joined_and_stderr_is_ignored() -> None:
    handled = Handled()
    line = RawLine("stderr", "2030-01-01T00:00:00Z", LINE)
    asyncio.run(handled.reports.feed(LogBatch([line], LOG_START)))
    assert handled.feed((LINE[:30], True), (LINE[30:], False)) == [DONE]


def test_a_report_over_the_limit_is_unreadable_once_and_later_reports_are_handled(monkeypatch: Any) -> None:
    monkeypatch.setattr(sidecar_reports, "MAX_REPORT_BYTES", 100)
    part = "{" + "é" * 49
    handled = Handled().feed((part, True), (part, True), (part, True), ("rest {", False), (LINE, False))
    assert isinstance(handled[0], tuple)
    assert handled[1:] == [DONE]


def test_reset_drops_an_unfinished_report() -> None:
    handled = Handled()
    handled.feed((LINE[:30], True))
    handled.reports.reset()
    assert handled.feed((LINE, False)) == [DONE]


def test_reports_that_arrive_together_are_handled_together(monkeypatch: Any) -> None:
    handled = Handled()
    assert handled.feed((LINE, False), ("noise", False), ("{", False), (LINE, False)) == [
        DONE,
        *handled.all[1:2],
        DONE,
    ]
    assert handled.together == [3]
    monkeypatch.setattr(sidecar_reports, "COMMIT_BYTES", 2 * len(LINE))
    handled = Handled()
    handled.feed(*[(LINE, False)] * 5)
    assert handled.together == [2, 2, 1]


def test_nothing_is_handled_without_a_report() -> None:
    handled = Handled()
    handled.feed(("noise", False))
    assert handled.together == []
