"""Injects the faults of a plan one by one, and records the duration of each."""

import contextlib
import http.client
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.soak.plan import PlannedFault, PlannedJob
from tests.soak.records import Job, Records
from tests.soak.subject import Subject, window
from tests.soak.user import User
from tests.support.engine.engine_proxy import Rule

EVENTS, LOGS, ATTACH = r"GET .*/events", r"GET .*/containers/[^/]+/logs", r"POST .*/containers/[^/]+/attach"
START = r"POST .*/containers/[^/]+/start"
REMOVE = r"DELETE .*/containers/"
CHANGES = (
    r"POST .*/containers/create",
    START,
    r"POST .*/containers/[^/]+/kill",
    REMOVE,
    r"POST .*/volumes/create",
    r"DELETE .*/volumes/",
    r"GET .*/containers/[^/]+/json",
)
"""The calls whose responses are lost or delayed."""
BURST = 6
PROBES, PROBE_NUMBER = 12, 1_000_000
CUT_AGAIN_S, SLOW_EACH = 0.2, 6
HOLD_REMOVAL_S, HIT_WAIT_S = 1.5, 8.0
CUTS = {"cut-events": EVENTS, "cut-logs": LOGS, "cut-attach": ATTACH, "cut-all": ""}


class Faults:
    """Injects a fault by its name."""

    def __init__(self, subject: Subject, user: User, records: Records, now: Callable[[], float]) -> None:
        self._subject, self._user, self._records, self._now = subject, user, records, now
        self._freeing: threading.Thread | None = None
        self._probes = 0

    def do(self, fault: PlannedFault) -> None:
        """Returns when the fault has ended or runs in the background."""
        subject = self._subject
        if subject.pid is None:
            self._records.faults_of_jobd.append(f"at {self._now():.1f} s jobd had ended by itself")
            with self._window("kill"):
                subject.start()
        if fault.kind in CUTS:
            with self._window(fault.kind):
                self._cut(CUTS[fault.kind], fault.seconds)
            return
        todo: dict[str, Callable[[PlannedFault], None]] = {
            "kill": self._kill,
            "term": self._term,
            "stop": self._stop,
            "engine-down": self._engine_down,
            "lose": self._lose,
            "delay": self._delay,
            "late-start": self._late_start,
            "clock": self._clock,
            "slow-readers": self._slow_readers,
            "disk-full": self._disk_full,
            "delete-burst": lambda fault: self._burst(fault, self._user.run_delete),
            "cancel-delete-burst": lambda fault: self._burst(fault, self._user.run_both),
        }
        todo[fault.kind](fault)

    def close(self) -> None:
        """Waits for the faults in the background, and ends the remaining ones."""
        if self._freeing is not None:
            self._freeing.join(60)
        self._subject.free_disk()

    def _window(self, kind: str, detail: str = "") -> Any:
        return window(self._records, self._now, kind, detail)

    def _cut(self, pattern: str, seconds: float) -> None:
        """Closes connections again and again shortly after they are opened."""
        end_s = self._now() + seconds
        while True:
            self._subject.proxy.cut(pattern)
            if self._now() >= end_s:
                return
            time.sleep(CUT_AGAIN_S)

    def _slow_readers(self, fault: PlannedFault) -> None:
        """Clients that request long responses and do not read them."""
        floods = [job.id for job in list(self._records.jobs.values()) if job.expect.fills_log and job.end]
        targets = [
            "/v1/events",
            "/v1/events?follow=1",
            *(f"/v1/jobs/{name}/logs?follow=1" for name in floods[-2:]),
        ]
        with self._window(fault.kind), contextlib.ExitStack() as held:
            for target in targets * SLOW_EACH:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    held.enter_context(self._subject.api.stream(target, slow=True))
            time.sleep(fault.seconds)

    def _kill(self, fault: PlannedFault) -> None:
        with self._window("kill"):
            self._subject.kill()
            time.sleep(fault.seconds)
            self._subject.start()

    def _term(self, fault: PlannedFault) -> None:
        with self._window("term"):
            self._subject.end()
            time.sleep(fault.seconds)
            self._subject.start()

    def _stop(self, fault: PlannedFault) -> None:
        pid = self._subject.pid
        if pid is not None:
            with self._window("stop"):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(fault.seconds)
                os.kill(pid, signal.SIGCONT)

    def _engine_down(self, fault: PlannedFault) -> None:
        with self._window("engine-down"):
            self._subject.proxy.down()
            time.sleep(fault.seconds)
            self._subject.proxy.up()

    def _lose(self, fault: PlannedFault) -> None:
        pattern = CHANGES[int(fault.value) % len(CHANGES)]
        self._while("lose", fault.seconds, self._subject.proxy.on(pattern, "lose"))

    def _delay(self, fault: PlannedFault) -> None:
        pattern = CHANGES[int(fault.value) % len(CHANGES)]
        rule = self._subject.proxy.on(pattern, "hold", times=3)
        with self._window("delay", pattern):
            self._wait_for(rule, fault.seconds)
            time.sleep(fault.seconds)
            _end(rule)

    def _late_start(self, fault: PlannedFault) -> None:
        """A delayed start request arrives when jobd removes the container as one that never started, or just before."""
        late = self._subject.proxy.on(START, "late")
        held = self._subject.proxy.on(REMOVE, "hold", times=None)
        with self._window("late-start", START):
            if self._wait_for(late, HIT_WAIT_S):
                held.hits = 0
                self._wait_for(held, fault.seconds)
                late.released.set()
                time.sleep(HOLD_REMOVAL_S)
            _end(late, held)

    def _wait_for(self, rule: Rule, limit_s: float) -> bool:
        """Returns whether a request has matched the rule."""
        end_s = self._now() + limit_s
        while rule.hits == 0 and self._now() < end_s:
            time.sleep(0.05)
        return rule.hits > 0

    def _while(self, kind: str, seconds: float, *rules: Rule) -> None:
        with self._window(kind, rules[0].pattern.pattern):
            time.sleep(seconds)
            _end(*rules)

    def _clock(self, fault: PlannedFault) -> None:
        with self._window("clock", f"{fault.value:+g} s"):
            self._subject.set_clock(fault.value)

    def _disk_full(self, fault: PlannedFault) -> None:
        """Other faults continue meanwhile: jobd is also killed with a full disk."""
        if self._freeing is not None:
            self._freeing.join(60)

        def stand() -> None:
            with self._window("disk-full"):
                self._subject.fill_disk()
                for number in range(PROBES):
                    # A large record does not fit, even into a log file of the database that has grown before.
                    self._probes += 1
                    self._user.begin(
                        PlannedJob(0, PROBE_NUMBER + self._probes, "big", number, "good", False, 0, "", None)
                    )
                    time.sleep(fault.seconds / PROBES)
                self._subject.free_disk()

        self._freeing = threading.Thread(target=stand, daemon=True)
        self._freeing.start()

    def _burst(self, fault: PlannedFault, act: Callable[[Job], None]) -> None:
        """For jobs in every phase: the choice depends on the plan's number and on the existing jobs."""
        known = [
            job for job in list(self._records.jobs.values()) if job.accepted_s and not job.delete_asked_s
        ]
        recent = known[-BURST * 6 :]
        with self._window(fault.kind):
            for job in random.Random(int(fault.value)).sample(recent, min(BURST, len(recent))):
                act(job)


def _end(*rules: Rule) -> None:
    """Removes rules; requests that they have held continue."""
    for rule in rules:
        rule.lifted.set()
        rule.released.set()
