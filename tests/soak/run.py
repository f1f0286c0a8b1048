"""One soak: carries out the plan while the observer polls, then ends all faults and waits until all jobs have ended.

Owns the order of the phases, and the cleanup in every case. `stop` ends a soak early.
"""

import shutil
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from tests.soak import report
from tests.soak.checks.check_all import check_all
from tests.soak.checks.check_results import CheckResults
from tests.soak.engine import EngineObserver
from tests.soak.faults import Faults
from tests.soak.observer import Observer, until
from tests.soak.plan import Plan
from tests.soak.records import Records
from tests.soak.servers import Servers
from tests.soak.subject import DoesNotStart, Subject
from tests.soak.user import User

SAID = 50
"""So many violations are printed at once; the report has all of them."""
STATUS_EVERY_S = 60.0
MAX_UNDER_WAY = 40
"""The limit of jobs that have not ended; further ones are submitted later."""
GONE_LIMIT_S = 90.0


class Soak:
    """One soak. `quiet_s`: the time limit for all jobs to end after the last fault."""

    def __init__(self, quiet_s: float, say: Callable[[str], None]) -> None:
        self.stop = threading.Event()
        self.records = Records()
        self.log = ""
        self._quiet_s, self._say = quiet_s, say
        self._began = time.monotonic()

    def now(self) -> float:
        return time.monotonic() - self._began

    def run(self, make: Callable[[bool], Plan], keep_log: Path) -> tuple[Plan, CheckResults]:
        """Runs the plan of `make`; returns the plan and the results. `keep_log`: the path for a copy of jobd's log."""
        engine = EngineObserver(self.records, self.now)
        try:
            servers = Servers(self.records, self.now)
            try:
                subject = Subject(self.records, self.now)
                try:
                    plan = make(subject.can_fill_disk)
                    self._soak(plan, subject, servers, engine)
                except DoesNotStart as error:
                    self.records.faults_of_jobd.append(str(error))
                finally:
                    if subject.daemon.log.exists():
                        keep_log.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copy(subject.daemon.log, keep_log)
                    subject.close(engine.api)
            finally:
                servers.close()
        finally:
            engine.close()
        return plan, check_all(self.records, final=True)

    def _soak(self, plan: Plan, subject: Subject, servers: Servers, engine: EngineObserver) -> None:
        subject.start()
        engine.instance = subject.instance()
        at = servers.addresses(*subject.ports)
        user = User(subject.api, self.records, self.now, at, uuid.uuid4().hex[:6])
        faults = Faults(subject, user, self.records, self.now)
        observer = Observer(subject.api, engine, self.records, self.now, subject.state, lambda: subject.pid)
        try:
            # The plan's times count from here.
            self._began = time.monotonic()
            submitting = threading.Thread(target=self._submit, args=(plan, user), daemon=True)
            submitting.start()
            self._do_faults(plan, faults)
            faults.close()
            submitting.join(60)
            self._say(f"{self.now():6.0f} s  no more faults; all jobs must end")
            self._converge(subject, servers, user, observer, engine)
        finally:
            self.stop.set()
            observer.close()
            user.close()
            faults.close()
        if not engine.listens:
            self.records.faults_of_jobd.append(
                "the stream of the engine's events broke off: starts are not counted"
            )
        if subject.pid is not None:
            subject.end()

    def _submit(self, plan: Plan, user: User) -> None:
        for planned in plan.jobs:
            while self._under_way() > MAX_UNDER_WAY or self.now() < planned.at_s:
                if self.stop.wait(0.05) or self.now() > plan.seconds:
                    return
            user.begin(planned)

    def _under_way(self) -> int:
        jobs = list(self.records.jobs.values())
        return sum(1 for job in jobs if job.accepted_s and job.end is None and job.delete_asked_s is None)

    def _do_faults(self, plan: Plan, faults: Faults) -> None:
        next_status = STATUS_EVERY_S
        said: set[str] = set()
        left = list(plan.faults)
        while self.now() < plan.seconds and not self.stop.is_set():
            if left and left[0].at_s <= self.now():
                faults.do(left.pop(0))
            elif self.stop.wait(0.05):
                return
            if self.now() >= next_status:
                results = check_all(self.records, final=False)
                self._say(report.status_line(self.now(), self.records, results))
                for violation in results.all_violations():
                    if violation not in said and len(said) < SAID:
                        said.add(violation)
                        self._say(f"        {violation}")
                next_status += STATUS_EVERY_S

    def _converge(
        self, subject: Subject, servers: Servers, user: User, observer: Observer, engine: EngineObserver
    ) -> None:
        """The quiet phase: all jobs end, all events are delivered, and all jobs are deleted."""
        servers.quiet = True
        subject.set_clock(0.0)
        if subject.pid is None:
            self.records.faults_of_jobd.append(f"at {self.now():.1f} s jobd had ended by itself")
            subject.start()
        user.close()
        until(self._all_ended, self._quiet_s, self._ends)
        for job in list(self.records.jobs.values()):
            if job.end is not None and job.delete_asked_s is None and job.receiver not in ("none", "dead"):
                subject.api.call("POST", f"/v1/jobs/{job.id}/deliveries/replay")
        until(self._all_delivered, self._quiet_s, lambda: len(self.records.arrivals))
        observer.look()
        observer.close()
        for job_id in self.records.listings[-1].ids if self.records.listings else ():
            # These deletions are not recorded: the checks use the jobs' state before.
            subject.api.call("DELETE", f"/v1/jobs/{job_id}")
        until(lambda: not engine.look().ids, GONE_LIMIT_S, lambda: len(self.records.engine[-1].ids))
        reply = subject.api.call("GET", "/v1/jobs")
        self.records.listed_at_end = (
            [job["id"] for job in reply.json["jobs"]] if reply.status == 200 else ["?"]
        )

    def _all_ended(self) -> bool:
        jobs = list(self.records.jobs.values())
        return all(job.end is not None for job in jobs if job.accepted_s and not job.delete_asked_s)

    def _ends(self) -> int:
        return sum(job.end is not None for job in list(self.records.jobs.values()))

    def _all_delivered(self) -> bool:
        done = {one.job_id for one in list(self.records.arrivals) if one.taken and one.type == "complete"}
        return all(
            job.id in done
            for job in list(self.records.jobs.values())
            if job.end is not None and job.delete_asked_s is None and job.receiver not in ("none", "dead")
        )
