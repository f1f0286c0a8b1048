"""Reports over HTTP, for a sidecar whose stdout nobody reads: to `/internal/events` of the daemon, with the job's token.

Owns what waits to be sent. Reports arrive in order and at least once; their `n` tells the daemon what it has had. A daemon that
is away does not stop the work: what could not be sent goes along with the next report, and the last one waits longest.

Source: jobd/api/internal.py.
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
"""A job has 64 artifacts, and the content of one has 768 KiB in its report: what a job can report fits in."""


class _Waiting:
    """A report as it is sent. `progress_of`: the artifact whose progress it is; None for every other report."""

    __slots__ = ("line", "progress_of")

    def __init__(self, report: Report) -> None:
        self.line = encode_report(report).rstrip(b"\n")
        self.progress_of = report.artifact_id if isinstance(report, Progress) else None


class ProxyListener:
    """Posts the reports of one job."""

    def __init__(self, job_id: str, proxy_url: str, token: str, timeout_s: float, http: Http) -> None:
        self._job_id, self._timeout_s, self._http = job_id, timeout_s, http
        self._url = proxy_url.rstrip("/") + "/internal/events"
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        # Encoded: as objects, what an artifact holds can be many times as large.
        self._waiting: list[_Waiting] = []
        self._failing = False

    def hear(self, report: Report) -> None:
        """Sends the report with all that waits; progress alone starts no request."""
        if isinstance(report, Progress):
            self._waiting = [one for one in self._waiting if one.progress_of != report.artifact_id]
        self._waiting.append(_Waiting(report))
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
                note(f"{len(self._waiting)} reports wait to be sent: {error}")
                return
            self._failing = False
            del self._waiting[:count]

    def _drop_oldest(self) -> None:
        """Keeps what waits within its bounds; the newest report always stays."""
        size = sum(len(one.line) for one in self._waiting)
        drop = max(0, len(self._waiting) - MOST_WAITING)
        size -= sum(len(one.line) for one in self._waiting[:drop])
        while size > MOST_WAITING_BYTES and drop < len(self._waiting) - 1:
            size -= len(self._waiting[drop].line)
            drop += 1
        del self._waiting[:drop]

    def _batch(self) -> tuple[int, bytes]:
        """Returns how many of the oldest reports fit into one body, one at least, and that body: an `InternalReports`."""
        head = b'{"jobId":%s,"reports":[' % msgspec.json.encode(self._job_id)
        size, count = len(head) + len(b"]}"), 0
        for one in self._waiting:
            size += len(one.line) + len(b",")
            if count and size > MOST_BODY_BYTES:
                break
            count += 1
        return count, head + b",".join(one.line for one in self._waiting[:count]) + b"]}"
