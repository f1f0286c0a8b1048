"""jobd's part of the rule machine of one job: the supervisor's turns on a model engine."""

from collections.abc import Callable
from datetime import datetime, timedelta

from jobd.jobs.port.model import ImageFacts, Observation, Role
from jobd.jobs.record.parts import OutputState
from jobd.jobs.record.states import Queued
from jobd.jobs.state import actions, facts
from jobd.jobs.state.next_action import next_action
from jobd.jobs.state.transitions.outcome import sidecar_waits
from tests.support.models.job_facts import JobFacts

MOST_TURNS = 300
MOST_TURNS_WITHOUT_WAIT = 25


class JobTurns(JobFacts):
    """What the supervisor does with the next action, on an engine that may lose or refuse a call."""

    def carry_out(self, fault: str) -> actions.Action:
        """Runs one turn of the supervisor; returns the action."""
        action = next_action(self.record, self.observation, self.now, group_paused=self.group_paused)
        self.next_actions.append(type(action))
        match action:
            case actions.Admit() if self.record.scheduling.after:
                self.apply(facts.DependencyEnded(self.record.scheduling.after[0].uid, "completed"))
            case actions.Admit():
                self.apply(facts.Admitted())
            case actions.Prepare() if fault == "refused":
                self.apply(facts.SetupFailed("refused-by-engine", "no"))
            case actions.Prepare() if fault == "lost-before" and not self.image_ready:
                pass  # the pull has failed
            case actions.Prepare():
                if not self.image_ready:
                    self.apply(facts.ImageReady(ImageFacts("sha256:1", None)))
                created = self.engine.create(self.record.attempt.number)
                self.read = 0
                if (
                    fault == "none"
                    and self.record.phase == "running"
                    and created.sidecar_id != self.record.sidecar_id
                ):
                    self.apply(facts.SidecarLost("the sidecar was removed"))
                elif fault == "none":
                    self.apply(facts.Prepared(created))
            case actions.StartSidecar():
                self.apply(facts.SidecarStarting())
                self.read = 0
                self.observation = None
                if self.record.sidecar is not None and self.engine.sidecar is not None:
                    if fault == "lost-before":
                        self.engine.late_starts.append(self.engine.sidecar)
                    else:
                        self.engine.start(self.engine.sidecar, self.engine_now)
            case actions.FreezeWorker():
                self.freeze(fault)
            case actions.ThawWorker():
                self.thaw(fault)
            case actions.RemoveUnstarted(role):
                self.remove_unstarted(role, fault)
            case actions.StartWorker():
                self.start_worker(fault)
            case actions.Observe() if fault == "none":
                self.observe()
            case actions.TellSidecar():
                box = self.engine.sidecar
                if fault != "lost-before" and box is not None and box.running and box.said:
                    box.notified = True
                if fault != "lost-after":
                    self.apply(facts.SidecarNotified())
            case actions.CollectOutputs() if fault == "none":
                self.apply(facts.OutputsCollected({"f": OutputState(status="kept", bytes=1)}))
            case actions.CollectOutputs() if fault == "refused":
                self.apply(
                    facts.OutputsCollected({"f": OutputState(status="missing")}, "output-failed", "no f")
                )
            case actions.DrainLogs() if fault == "none":
                self.apply(facts.LogsDrained())
            case actions.Signal(role, kill):
                box = self.engine.worker if role == "worker" else self.engine.sidecar
                self.check_signal()
                if fault != "lost-before" and (kill or fault != "refused"):
                    self.engine.end(box, 137 if kill else 143, self.engine_now)
                if fault != "lost-after":
                    self.apply(facts.StopSent(kill))
            case actions.Remove():
                assert self.record.ended or self.has_leftovers, "by force only after the stored end"
                self.engine.drop("worker")
                self.engine.drop("sidecar")
                if fault != "lost-after":
                    self.apply(facts.Cleaned())
            case _:
                pass
        if fault != "none":
            self.observation = None
        return action

    def start_worker(self, fault: str) -> None:
        sidecar = self.engine.sidecar
        if sidecar_waits(self.spec) and (sidecar is None or not sidecar.running):
            self.apply(facts.SidecarLost("the sidecar has ended", counts=sidecar is None))
            return
        self.apply(facts.WorkerStarting())
        if self.record.phase != "running" or self.record.worker_over:
            return
        self.observation = None
        if fault == "refused":
            self.apply(facts.WorkerStartFailed(127, "no such file"))
        elif fault == "unsent":
            self.apply(facts.StartUnsent())
        elif fault == "lost-before":
            self.engine.ask_to_start(self.engine.worker)
            if self.engine.worker is not None:
                self.engine.late_starts.append(self.engine.worker)
        else:
            self.engine.ask_to_start(self.engine.worker)
            self.engine.start(self.engine.worker, self.engine_now)

    def remove_unstarted(self, role: Role, fault: str) -> None:
        """`refused`: the start arrives just before the removal. `lost-after`: the removal succeeds, and its answer is lost."""
        container_id = self.record.worker_id if role == "worker" else self.record.sidecar_id
        if fault == "lost-before" or container_id is None:
            return
        late = self.late if fault == "refused" else "nothing"
        fate = self.engine.remove_unstarted(role, container_id, late, self.engine_now)
        self.observation = None
        if fault == "lost-after":
            return
        if fate.kind == "never":
            self.apply(facts.NeverStarted(role))
        elif fate.kind == "began" and fate.end is None:
            self.observe()
        elif role == "sidecar":
            self.apply(facts.Observed(Observation(None, fate.end), reports_drained=True))
        else:
            attempt = self.record.attempt.number
            end = fate.end if fate.end is not None and fate.end.exit_code != 137 else None
            self.apply(facts.Observed(Observation(end, None)))
            over = self.record.worker_over or self.record.attempt.number > attempt
            assert over, "a removed worker that ran is not created again in the same attempt"

    def wait(self, until: datetime | None) -> None:
        left = timedelta(seconds=2)
        if until is not None:
            left = min(left, max(until - self.now, timedelta(0)))
        self.pass_time(left)
        self.observation = None
        self.apply(facts.TimePassed())

    @property
    def may_start(self) -> bool:
        action = next_action(self.record, self.observation, self.now, group_paused=self.group_paused)
        return isinstance(action, actions.StartWorker)

    @property
    def engine_now(self) -> datetime:
        """The engine's clock, which may run on another machine and be wrong."""
        return self.now + self.skew

    @property
    def has_leftovers(self) -> bool:
        state = self.record.state
        return isinstance(state, Queued) and state.retry is not None and state.retry.leftovers

    def live_until(self, reached: Callable[[], bool]) -> None:
        busy = 0
        for _ in range(MOST_TURNS):
            if reached():
                return
            action = self.carry_out("none")
            busy += 1
            assert busy <= MOST_TURNS_WITHOUT_WAIT, f"never waits: {self.next_actions[-8:]}"
            if isinstance(action, actions.Wait):
                busy = 0
                self.engine.next_report(False, self.engine_now)
                self.read_reports()
                if self.record.phase == "running" and self.observation is not None and not self.is_frozen:
                    self.engine.end(self.engine.worker, 0, self.engine_now)
                self.wait(action.until)
        raise AssertionError(f"does not end: {self.next_actions[-8:]} in {self.record}")
