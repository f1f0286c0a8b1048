"""The observer: polls the API, the engine, jobd's memory and the disk, and records the results."""

import contextlib
import http.client
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import docker.errors
import requests

from tests.soak.api import Api
from tests.soak.engine import EngineObserver
from tests.soak.records import TERMINAL, End, Listing, Records, Sample
from tests.soak.user import line_of

LOOK_EVERY_S, ENGINE_EVERY_S = 1.0, 4.0
PAGE = 1000
LONGEST_S = 600.0


class Observer:
    """A thread that polls until `close`. `pid` returns jobd's process id, or None while jobd does not run."""

    def __init__(
        self,
        api: Api,
        engine: EngineObserver,
        records: Records,
        now: Callable[[], float],
        state: Path,
        pid: Callable[[], int | None],
    ) -> None:
        self._api, self._engine, self._records, self._now = api, engine, records, now
        self._state, self._pid = state, pid
        self._closed = threading.Event()
        self._next_engine_s = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._closed.wait(LOOK_EVERY_S):
            self.look()
            self._sample()
            if self._now() >= self._next_engine_s:
                with contextlib.suppress(docker.errors.APIError, requests.RequestException):
                    self._engine.look()
                self._next_engine_s = self._now() + ENGINE_EVERY_S

    def look(self) -> None:
        """Records the list of `GET /v1/jobs`, and the logs of jobs that have ended since."""
        asked_s = self._now()
        views: list[dict[str, Any]] = []
        cursor = ""
        while True:
            reply = self._api.call("GET", f"/v1/jobs?limit={PAGE}{cursor}")
            if reply.status != 200:
                return
            page = reply.json
            views += page["jobs"]
            if not page.get("next"):
                break
            cursor = f"&cursor={quote(page['next'])}"
        listing = Listing(asked_s, self._now(), frozenset(view["id"] for view in views))
        self._records.listings.append(listing)
        for view in views:
            self._take(view, asked_s)
        for job in list(self._records.jobs.values()):
            if job.end is not None and job.log is None and job.id in listing.ids:
                self._read_log(job.id)

    def _take(self, view: dict[str, Any], asked_s: float) -> None:
        job = self._records.jobs.get(view["id"])
        if job is None:
            return
        job.uid = job.uid or view.get("uid", "")
        if view["status"] not in TERMINAL:
            if job.end is not None:
                job.later_ends.append(End(view["status"], view.get("reason"), view.get("exitCode")))
            else:
                job.alive_s = asked_s
            return
        end = End(view["status"], view.get("reason"), view.get("exitCode"))
        if job.end is None:
            job.end, job.end_seen_s = end, self._now()
        elif end != job.end and end not in job.later_ends:
            job.later_ends.append(end)

    def _read_log(self, job_id: str) -> None:
        job = self._records.jobs[job_id]
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            with self._api.stream(f"/v1/jobs/{job_id}/logs") as answer:
                if answer.status != 200:
                    return
                frames = [json.loads(text) for text in answer if text.strip()]
            if frames and "end" in frames[-1]:
                job.log, job.log_ended = [line_of(frame) for frame in frames[:-1]], True

    def _sample(self) -> None:
        pid = self._pid()
        memory = 0
        if pid is not None:
            with contextlib.suppress(OSError, IndexError, ValueError):
                memory = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        used = sum(_size(path) for path in self._state.rglob("*") if path.name != "ballast")
        self._records.samples.append(Sample(self._now(), memory, used))


def _size(path: Path) -> int:
    try:
        status = path.stat()
    except OSError:
        return 0  # removed meanwhile
    return status.st_blocks * 512


def until(
    condition: Callable[[], bool], quiet_s: float, progress: Callable[[], object] = lambda: None
) -> bool:
    """Returns True as soon as the condition holds, False if `progress` has not changed for `quiet_s`: a loaded machine is slow but
    makes progress.
    """
    last, end = progress(), time.monotonic() + quiet_s
    most = time.monotonic() + LONGEST_S
    while time.monotonic() < min(end, most):
        if condition():
            return True
        if progress() != last:
            last, end = progress(), time.monotonic() + quiet_s
        time.sleep(0.2)
    return condition()
