"""The user of the soak: submits planned jobs, repeats requests without response, cancels, deletes and follows.

Records the response to each call. Checks nothing.
"""

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from tests.soak.api import Api, Reply
from tests.soak.kinds import Addresses, Made, make
from tests.soak.plan import Action, PlannedJob
from tests.soak.records import Answer, Job, Line, Records

AGAIN_S, PATIENCE_S = 0.3, 90.0
RETRIED = (0, 429, 500, 503, 507)
"""Statuses after which the user tries again; all are recorded, and the checks decide which are allowed."""
FOLLOW_S, LOOK_EVERY_S = 60.0, 0.2
SLOW_READ_BYTES, SLOW_PAUSE_S, SLOW_READS = 2048, 0.05, 200


class User:
    """Runs each job in its own thread. `stopped`: no further jobs are started."""

    def __init__(self, api: Api, records: Records, now: Callable[[], float], at: Addresses, run: str) -> None:
        self.stopped = threading.Event()
        self._api, self._records, self._now, self._at, self._run = api, records, now, at, run
        self._pool = ThreadPoolExecutor(40, thread_name_prefix="user")

    def begin(self, planned: PlannedJob) -> None:
        """Starts a job of the plan, in a thread."""
        job_id = f"soak-{self._run}-{planned.number}"
        made = make(planned, job_id, self._at)
        job = Job(job_id, planned.kind, planned.receiver, made.expect, valid=made.valid)
        self._records.jobs[job_id] = job
        self._pool.submit(self._live, planned, made, job)

    def close(self) -> None:
        """Waits for the threads; each of their waits has a limit."""
        self.stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run_both(self, job: Job) -> None:
        """Cancels and deletes a job at the same time."""
        self._pool.submit(self.cancel, job)
        self._pool.submit(self.delete, job)

    def run_delete(self, job: Job) -> None:
        self._pool.submit(self.delete, job)

    def cancel(self, job: Job) -> None:
        job.cancel_asked_s = job.cancel_asked_s or self._now()
        body = json.dumps({"by": "soak", "graceSeconds": 1}).encode()
        target = f"/v1/jobs/{job.id}/cancel"
        reply = self._until_answered(
            job, "cancel", "POST", target, body, {"Content-Type": "application/json"}
        )
        if reply.status == 202:
            job.cancelled_s = self._now()

    def delete(self, job: Job) -> None:
        job.delete_asked_s = job.delete_asked_s or self._now()
        reply = self._until_answered(job, "delete", "DELETE", f"/v1/jobs/{job.id}")
        if reply.status == 204 and job.deleted_s is None:
            job.deleted_s = self._now()

    def _live(self, planned: PlannedJob, made: Made, job: Job) -> None:
        if not self._submit(planned, made, job) or not made.valid:
            return
        follower = None
        if planned.follow:
            follower = threading.Thread(target=self._follow, args=(job, planned.follow), daemon=True)
            follower.start()
        if planned.action is not None:
            self._act(job, planned.action)
        if follower is not None:
            follower.join(FOLLOW_S + 5)

    def _submit(self, planned: PlannedJob, made: Made, job: Job) -> bool:
        left, asked = planned.repeats, 0
        deadline = self._now() + PATIENCE_S
        while self._now() < deadline and not self.stopped.is_set():
            submit = partial(self._api.submit, made.spec, made.files, again=asked > 0 or left > 0)
            reply = self._ask(job, "submit", submit)
            asked += 1
            if reply.status in (200, 202):
                job.uid = job.uid or str(reply.json.get("uid", ""))
                if job.accepted_s is None:
                    job.accepted_s = job.alive_s = self._now()
                if left == 0 or not made.valid:
                    return True
                left -= 1
                continue
            if reply.status not in RETRIED:
                return False
            if reply.status == 507 and asked == 1:
                self._ask(job, "look-after-507", lambda: self._api.call("GET", f"/v1/jobs/{job.id}"))
            time.sleep(AGAIN_S)
        return False

    def _act(self, job: Job, action: Action) -> None:
        deadline = self._now() + PATIENCE_S
        while action.moment != "at-once" and self._now() < deadline and not self.stopped.is_set():
            if job.end is not None or (action.moment == "running" and job.id in self._records.started):
                break
            time.sleep(LOOK_EVERY_S)
        time.sleep(action.delay_s)
        if action.doing == "both":
            other = threading.Thread(target=self.cancel, args=(job,), daemon=True)
            other.start()
            self.delete(job)
            other.join(PATIENCE_S)
        elif action.doing == "cancel":
            self.cancel(job)
        else:
            self.delete(job)

    def _until_answered(self, job: Job, call: str, method: str, target: str, *more: Any) -> Reply:
        deadline = self._now() + PATIENCE_S
        while True:
            reply = self._ask(job, call, lambda: self._api.call(method, target, *more))
            if reply.status not in RETRIED or self._now() > deadline:
                return reply
            time.sleep(AGAIN_S)

    def _ask(self, job: Job, call: str, ask: Callable[[], Reply]) -> Reply:
        asked_s = self._now()
        reply = ask()
        error = reply.error if reply.status >= 400 else {}
        code, field = str(error.get("code", "")), str(error.get("field", ""))
        job.answers.append(Answer(asked_s, self._now(), call, reply.status, code, field))
        return reply

    def _follow(self, job: Job, manner: str) -> None:
        """Follows the log to its end, and resumes after the last line when the stream breaks off."""
        lines: list[Line] = []
        deadline = self._now() + FOLLOW_S
        while self._now() < deadline and not self.stopped.is_set():
            after = lines[-1].seq if lines else 0
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                target = f"/v1/jobs/{job.id}/logs?follow=1&after={after}"
                with self._api.stream(target, slow=manner != "reads") as answer:
                    if answer.status == 404:
                        return
                    if manner != "reads":
                        self._dawdle(answer)
                        return
                    for text in answer:
                        tree = json.loads(text) if text.strip() else {}
                        if "end" in tree:
                            job.followed, job.follow_ended = lines, True
                            return
                        if tree:
                            lines.append(line_of(tree))
                        if self._now() > deadline:
                            return
            time.sleep(AGAIN_S)

    def _dawdle(self, answer: http.client.HTTPResponse) -> None:
        """Reads a little at a time, then disconnects."""
        for _ in range(SLOW_READS):
            if self.stopped.is_set() or not answer.read(SLOW_READ_BYTES):
                return
            time.sleep(SLOW_PAUSE_S)


def line_of(tree: dict[str, Any]) -> Line:
    """Returns a frame of the API's log as a record."""
    return Line(int(tree["seq"]), str(tree["stream"]), str(tree["line"]), tree.get("gap"))
