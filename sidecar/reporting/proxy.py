"""Sends reports over HTTP, for a sidecar whose stdout is not read: to `/internal/events` of the daemon, with the job's token.

Owns the queue of unsent reports. Reports arrive in order and at least once; the daemon recognizes repeated ones by their `n`. While
the daemon does not answer, the transfers go on; unsent reports are sent with the next one, and the last report has the most tries.

Source: jobd/api/endpoints/internal.py.
"""

import msgspec

from jobd.wire.report import Done, InputsFailed, Progress, Refused, Report, encode_report
from sidecar.errors import ArtifactError
from sidecar.reporting.report import note
from sidecar.transfer.http import Body, Http, Request

RETRIES = 3
LAST_RETRIES = 10
MOST_BODY_BYTES = 900 * 1024
MOST_WAITING = 1000
MOST_WAITING_BYTES = 64 << 20
"""Enough for all reports of a job: 64 artifacts, each with at most 768 KiB of content."""


class _QueuedReport:
    """An encoded report. `progress_of`: the artifact of a progress report; None for other reports."""

    __slots__ = ("line", "progress_of")

    def __init__(self, report: Report) -> None:
        self.line = encode_report(report).rstrip(b"\n")
        self.progress_of = report.artifact_id if isinstance(report, Progress) else None


class ProxySender:
    """Posts the reports of one job."""

    def __init__(self, job_id: str, proxy_url: str, token: str, timeout_s: float, http: Http) -> None:
        self._job_id, self._timeout_s, self._http = job_id, timeout_s, http
        self._url = proxy_url.rstrip("/") + "/internal/events"
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        # Encoded, since the decoded content of an artifact can be many times larger.
        self._waiting: list[_QueuedReport] = []
        self._failing = False

    def send(self, report: Report) -> None:
        """Sends the report and all queued ones. A progress report is only queued."""
        if isinstance(report, Progress):
            self._waiting = [one for one in self._waiting if one.progress_of != report.artifact_id]
        self._waiting.append(_QueuedReport(report))
        self._drop_oldest()
        if not isinstance(report, Progress):
            last = isinstance(report, Done | InputsFailed | Refused)
            self._send_all(LAST_RETRIES if last else 0 if self._failing else RETRIES)

    def _send_all(self, retries: int) -> None:
        while self._waiting:
            count, body = self._batch()
            request = Request(
                method="POST",
                url=self._url,
                limit_s=self._timeout_s,
                retries=retries,
                headers=self._headers,
                body=lambda body=body: Body(len(body), iter((body,))),  # type: ignore[misc]
                follows_redirects=False,
            )
            try:
                self._http.deliver(request)
            except ArtifactError as error:
                self._failing = True
                note(f"{len(self._waiting)} reports are not sent yet: {error}")
                return
            self._failing = False
            del self._waiting[:count]

    def _drop_oldest(self) -> None:
        """Drops the oldest queued reports above the bounds; the newest report always stays."""
        size = sum(len(one.line) for one in self._waiting)
        drop = max(0, len(self._waiting) - MOST_WAITING)
        size -= sum(len(one.line) for one in self._waiting[:drop])
        while size > MOST_WAITING_BYTES and drop < len(self._waiting) - 1:
            size -= len(self._waiting[drop].line)
            drop += 1
        del self._waiting[:drop]

    def _batch(self) -> tuple[int, bytes]:
        """Returns the number of oldest reports that fit into one body, at least one, and that body: an `InternalReports`."""
        head = b'{"jobId":%s,"reports":[' % msgspec.json.encode(self._job_id)
        size, count = len(head) + len(b"]}"), 0
        for one in self._waiting:
            size += len(one.line) + len(b",")
            if count and size > MOST_BODY_BYTES:
                break
            count += 1
        return count, head + b",".join(one.line for one in self._waiting[:count]) + b"]}"
