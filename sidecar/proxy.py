"""Reports over HTTP, for a sidecar whose stdout nobody reads: to `/internal/events` of the daemon, with the job's token.

Owns what waits to be sent. Reports arrive in order and at least once; their `n` tells the daemon what it has had. A daemon that
is away does not stop the work: what could not be sent goes along with the next report, and the last one waits longest.

Source: jobd/api/internal.py.
"""

import msgspec

from jobd.wire.report import Done, InputsFailed, InternalReports, Progress, Refused, Report
from sidecar.errors import ArtifactError
from sidecar.http import Body, Http, Request
from sidecar.report import note

RETRIES = 3
LAST_RETRIES = 10
MOST_BODY_BYTES = 900 * 1024
MOST_WAITING = 1000


class ProxyListener:
    """Posts the reports of one job."""

    def __init__(self, job_id: str, proxy_url: str, token: str, timeout_s: float, http: Http) -> None:
        self._job_id, self._timeout_s, self._http = job_id, timeout_s, http
        self._url = proxy_url.rstrip("/") + "/internal/events"
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        self._waiting: list[Report] = []
        self._failing = False

    def hear(self, report: Report) -> None:
        """Sends the report with all that waits; progress alone starts no request."""
        if isinstance(report, Progress):
            self._waiting = [w for w in self._waiting if not _same_progress(w, report)]
        self._waiting.append(report)
        del self._waiting[:-MOST_WAITING]
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

    def _batch(self) -> tuple[int, bytes]:
        """Returns the longest beginning of what waits that fits into one body, and that body."""
        count = len(self._waiting)
        while True:
            body = msgspec.json.encode(InternalReports(job_id=self._job_id, reports=self._waiting[:count]))
            if len(body) <= MOST_BODY_BYTES or count == 1:
                return count, body
            count = max(1, count // 2)


def _same_progress(waiting: Report, report: Progress) -> bool:
    return isinstance(waiting, Progress) and waiting.artifact_id == report.artifact_id
