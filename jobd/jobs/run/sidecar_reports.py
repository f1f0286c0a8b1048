"""Reads the sidecar's reports: JSON lines on its standard output become `Report` structs.

Owns how the parts of a line are joined, the limit of a line, and what is not a report. `machine.py` decides what a report changes.
"""

import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec

from jobd.clock import Clock
from jobd.jobs.log.container_log_follower import ContainerLogFollower
from jobd.jobs.port.model import LOG_START, JobRef, LogBatch, LogCursor, RawLine
from jobd.jobs.port.protocols import Logs
from jobd.jobs.state.facts import ReportUnread
from jobd.wire.report import Report, decode_report, heading_of

MAX_REPORT_BYTES = 8 << 20
COMMIT_BYTES = 1 << 20
"""Reports that arrive together are stored in one commit, up to the report that reaches this size."""
QUOTED_CHARACTERS = 200

log = logging.getLogger(__name__)


class SidecarReports:
    """Decodes the sidecar's lines and passes the reports that arrive together, and their size, to `on_reports`.

    A line with a `{` that does not decode becomes a `ReportUnread`, with the reason and its readable heading. A line without a `{` is
    no report, damaged or not: another program printed the line, and jobd logs and drops it. A line holds at most
    `MAX_REPORT_BYTES`; the rest of a longer line is dropped.
    """

    def __init__(
        self,
        on_reports: Callable[[Sequence[Report | ReportUnread], int], Coroutine[Any, Any, None]],
        job_id: Callable[[], str],
    ) -> None:
        self._on_reports = on_reports
        self._job_id = job_id
        self.reset()

    def reset(self) -> None:
        """Drops the unfinished line: the next line comes from the start of the sidecar's output."""
        self._partial: list[str] = []
        self._size_bytes = 0
        self._skipping = False

    async def feed(self, batch: LogBatch) -> None:
        """Handles the reports in the batch, in order."""
        reports: list[Report | ReportUnread] = []
        size_bytes = 0
        for line in batch.lines:
            if line.stream != "stdout":
                continue
            text = self._whole(line)
            if text is None:
                continue
            try:
                reports.append(decode_report(text.encode()))
            except msgspec.DecodeError as error:
                quoted = text[:QUOTED_CHARACTERS]
                fields = {
                    "job_id": self._job_id(),
                    "action": "read-report",
                    "error": str(error),
                    "line": quoted,
                }
                log.warning("the sidecar printed a line that is no report", extra=fields)
                if "{" in text:
                    why = f"the sidecar printed a report that cannot be read ({error}): {quoted!r}"
                    reports.append(ReportUnread(why, heading_of(text)))
            size_bytes += len(text)
            if size_bytes >= COMMIT_BYTES:
                await self._on_reports(reports, size_bytes)
                reports, size_bytes = [], 0
        if reports:
            await self._on_reports(reports, size_bytes)

    def _whole(self, line: RawLine) -> str | None:
        """Returns the line that ends here, up to the limit of a report; None while the line continues."""
        was_skipping, self._skipping = self._skipping, self._skipping and line.partial
        if was_skipping:
            return None
        if line.text:
            self._partial.append(line.text)
        self._size_bytes += len(line.text.encode())
        if line.partial and self._size_bytes < MAX_REPORT_BYTES:
            return None
        text = "".join(self._partial)
        self._partial, self._size_bytes, self._skipping = [], 0, line.partial
        return text


def follow_reports(
    engine: Logs, clock: Clock, ref: Callable[[], JobRef], reports: SidecarReports
) -> ContainerLogFollower:
    """Returns the follower of the sidecar's output. Each read begins at the start; the record ignores reports that it has."""

    def source() -> tuple[JobRef, LogCursor]:
        reports.reset()
        return ref(), LOG_START

    return ContainerLogFollower(engine, clock, "sidecar", source, reports.feed)
