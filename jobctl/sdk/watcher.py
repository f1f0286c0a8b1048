"""Notices the ends of jobs for all waits of a client: one thread and one connection, however many jobs are awaited.

The thread asks for the state of the jobs, often at first and then less often. An answer tells the same after a restart of the daemon as
before, so a wait needs no state of its own there.
"""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from jobctl.errors import ConnectionLost, NotFound
from jobctl.selection.listing import ACTIVE, PAGE
from jobd.wire.views.job import TERMINAL, JobView

if TYPE_CHECKING:
    from jobctl.sdk.core import Core

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.5
PAUSE_SHARE = 20
"""The pause is one part in so many of the time since the last end or the last new wait."""
FEW = 8
"""So many jobs are asked for one by one; of more jobs, those that are in the list of active jobs are not asked for."""
JOBS_A_PAGE = 50
"""For so many awaited jobs one page of the list is read: a long list of other jobs costs more than single requests."""

Ended = Future[JobView]


class Watcher:
    """The awaited jobs. The thread lives as long as there are any."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._awaited: dict[tuple[str, str], list[Ended]] = {}
        self._thread: threading.Thread | None = None
        self._changed_at = 0.0

    def ended(self, job_id: str, uid: str) -> Ended:
        """Returns the future end of a job. Cancelling the future ends the wait, and not the job."""
        future: Ended = Future()
        with self._lock:
            self._awaited.setdefault((job_id, uid), []).append(future)
            self._changed_at = time.monotonic()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="jobctl-waits", daemon=True)
                self._thread.start()
        self._wake.set()
        return future

    def _run(self) -> None:
        while True:
            self._wake.clear()
            awaited = self._still_awaited()
            if not awaited:
                return
            try:
                self._look(awaited)
            except Exception as error:
                for key in awaited:
                    self._settle(key, error)
            age = time.monotonic() - self._changed_at
            self._wake.wait(min(max(age / PAUSE_SHARE, SHORTEST_PAUSE_S), LONGEST_PAUSE_S))

    def _still_awaited(self) -> list[tuple[str, str]]:
        """Returns the jobs with a wait that was not cancelled. Ends the thread where there are none."""
        with self._lock:
            for key, futures in list(self._awaited.items()):
                left = [future for future in futures if not future.done()]
                if left:
                    self._awaited[key] = left
                else:
                    del self._awaited[key]
            if not self._awaited:
                self._thread = None
            return list(self._awaited)

    def _look(self, awaited: list[tuple[str, str]]) -> None:
        active = self._active(len(awaited)) if len(awaited) > FEW else frozenset()
        for job_id, uid in awaited:
            if (job_id, uid) in active:
                continue
            try:
                view = self._core.view(job_id)
                if uid and view.uid not in ("", uid):
                    raise NotFound(f"{job_id} was removed; its id is that of another job now")
            except Exception as error:
                if self._core.closed.is_set() or isinstance(error, ConnectionLost):
                    raise  # it is the end of all waits
                self._settle((job_id, uid), error)
            else:
                if view.status in TERMINAL:
                    self._settle((job_id, uid), view)

    def _active(self, awaited: int) -> frozenset[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        cursor: object = None
        for _ in range(1 + awaited // JOBS_A_PAGE):
            query = {"status": ",".join(ACTIVE), "limit": PAGE, "cursor": cursor}
            page = json.loads(self._core.call("GET", "/v1/jobs", query))
            found.update((str(job.get("id")), str(job.get("uid") or "")) for job in page["jobs"])
            cursor = page.get("next")
            if not cursor:
                break
        return frozenset(found)

    def _settle(self, key: tuple[str, str], result: JobView | Exception) -> None:
        with self._lock:
            futures = self._awaited.pop(key, [])
            self._changed_at = time.monotonic()
        for future in futures:
            if not future.set_running_or_notify_cancel():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
