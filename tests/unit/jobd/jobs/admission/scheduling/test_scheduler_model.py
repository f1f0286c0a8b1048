"""Any history of jobs, groups, pauses and machines follows the rule of the scheduler, and every job runs in the end.

The model states the rule a second time, with a scan over all jobs, and checks the properties that follow from the rule on their own.
"""

from dataclasses import dataclass, field

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from jobd.jobs.admission.scheduling.groups import GroupSettings
from jobd.jobs.admission.scheduling.resources import ALL_GPUS, Amounts, Demand, Machine
from jobd.jobs.admission.scheduling.scheduler import Scheduler
from jobd.jobs.admission.scheduling.waits import WaitReason

GROUPS = st.sampled_from(["default", "gpu", "night"])
DEMANDS = st.builds(
    Demand, st.sampled_from([0, 0, 0, 2000, 3000]), st.sampled_from([1, 1, 2, 4]), st.sampled_from([0, 0, 0, 0, 0, 1, 2, ALL_GPUS])
)  # fmt: skip
MACHINES = st.builds(
    Machine,
    st.integers(1, 6),
    st.integers(2000, 8000),
    st.integers(3, 12),
    st.sampled_from([(), ("0",), ("0", "1"), ("0", "1", "2")]),
    st.sampled_from([True, True, True, False]),
)
PRIORITIES = st.integers(-2, 2)
SELDOM = st.sampled_from([False, False, False, True])
"""Most jobs can run: what holds everything up hides the rules of those that run."""


@dataclass
class Job:
    uid: str
    group: str
    priority: int
    ticket: int
    demand: Demand
    after: set[str] = field(default_factory=set)
    gpus: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[int, int, str]:
        return (-self.priority, self.ticket, self.uid)


class SchedulerMachine(RuleBasedStateMachine):
    """`waiting` and `running` are the model's; `kept`: the running jobs that a smaller machine or limit found."""

    @initialize(machine=MACHINES)
    def start(self, machine: Machine) -> None:
        self.machine = machine
        self.scheduler = Scheduler(machine)
        self.waiting: dict[str, Job] = {}
        self.running: dict[str, Job] = {}
        self.kept: set[str] = set()
        self.ended: dict[str, str] = {}
        self.limits: dict[str, GroupSettings] = {}
        self.paused = False
        self.last = 0

    # --- what happens

    @rule(group=GROUPS, priority=PRIORITIES, demand=DEMANDS, data=st.data())
    def submit(self, group: str, priority: int, demand: Demand, data: st.DataObject) -> None:
        self.last += 1
        job = Job(f"j{self.last}", group, priority, self.last, demand)
        others = sorted({*self.waiting, *self.running})
        follows = bool(others) and bool(data.draw(SELDOM))
        if follows:
            job.after = set(data.draw(st.lists(st.sampled_from(others), max_size=2)))
        self.waiting[job.uid] = job
        self.scheduler.add(job.uid, group, priority, job.ticket, demand)
        self.scheduler.block(job.uid, sorted(job.after))
        self.settle()

    @rule(group=GROUPS, count=st.integers(2, 4))
    def submit_small_ones(self, group: str, count: int) -> None:
        """Jobs that wait for places and for their group alone."""
        for _ in range(count):
            self.last += 1
            job = Job(f"j{self.last}", group, 0, self.last, Demand(0, 1))
            self.waiting[job.uid] = job
            self.scheduler.add(job.uid, group, job.priority, job.ticket, job.demand)
        self.settle()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        uid = data.draw(st.sampled_from(sorted(self.running)))
        del self.running[uid]
        self.kept.discard(uid)
        self.leave(uid)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        uid = data.draw(st.sampled_from(sorted(self.waiting)))
        del self.waiting[uid]
        self.leave(uid)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), priority=PRIORITIES)
    def change_priority(self, data: st.DataObject, priority: int) -> None:
        job = self.waiting[data.draw(st.sampled_from(sorted(self.waiting)))]
        job.priority = priority
        self.scheduler.reorder(job.uid, priority, job.ticket)
        self.settle()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def bump(self, data: st.DataObject) -> None:
        job = self.waiting[data.draw(st.sampled_from(sorted(self.waiting)))]
        ahead = self.scheduler.ahead_of(job.uid)
        if ahead is not None:
            job.priority, job.ticket = ahead
            self.scheduler.reorder(job.uid, *ahead)
        assert self.scheduler.position(job.uid) == 1
        self.settle()

    @rule(group=GROUPS, limit=st.none() | st.integers(1, 3), paused=SELDOM)
    def set_group(self, group: str, limit: int | None, paused: bool) -> None:
        self.limits[group] = GroupSettings(limit, paused)
        self.scheduler.set_group(group, self.limits[group])
        self.kept |= set(self.running)
        self.settle()

    @rule(group=GROUPS)
    def remove_group(self, group: str) -> None:
        self.limits.pop(group, None)
        self.scheduler.set_group(group, None)
        self.settle()

    @rule(paused=SELDOM)
    def pause(self, paused: bool) -> None:
        self.paused = paused
        self.scheduler.set_paused(paused)
        self.settle()

    @rule(machine=MACHINES)
    def change_machine(self, machine: Machine) -> None:
        self.machine = machine
        self.scheduler.set_machine(machine)
        self.kept |= set(self.running)
        self.settle()

    @rule()
    def restart(self) -> None:
        """A new scheduler with what the records say has the same order."""
        before = [self.scheduler.position(uid) for uid in self.waiting]
        self.scheduler = Scheduler(self.machine)
        self.scheduler.set_paused(self.paused)
        for name, one in self.limits.items():
            self.scheduler.set_group(name, one)
        for job in self.running.values():
            self.scheduler.hold(job.uid, job.group, job.demand, job.gpus)
        for job in reversed(self.waiting.values()):
            self.scheduler.add(job.uid, job.group, job.priority, job.ticket, job.demand)
            self.scheduler.block(job.uid, sorted(job.after))
        assert [self.scheduler.position(uid) for uid in self.waiting] == before
        self.settle()

    def leave(self, uid: str) -> None:
        self.scheduler.release(uid)
        for dependent in self.scheduler.dependency_ended(uid, "completed"):
            news = self.scheduler.news(dependent)
            assert news == (uid, "completed")
            self.waiting[dependent].after.discard(uid)
            self.scheduler.block(dependent, sorted(self.waiting[dependent].after))
        assert all(uid not in job.after for job in self.waiting.values())
        self.settle()

    # --- the rule, with a scan

    def need(self, job: Job) -> Amounts:
        return job.demand.amounts(len(self.machine.gpus))

    def free(self) -> Amounts:
        free = self.machine.amounts
        for job in self.running.values():
            gpus = len(set(job.gpus) & set(self.machine.gpus))
            free = free.minus(Amounts(1, job.demand.millicpus, job.demand.memory_mb, gpus))
        return free

    def candidates(self) -> list[Job]:
        def may(job: Job) -> bool:
            one = self.limits.get(job.group, GroupSettings())
            runs = sum(other.group == job.group for other in self.running.values())
            return (
                not self.paused
                and not job.after
                and not one.paused
                and (one.limit is None or runs < one.limit)
                and self.machine.is_known
                and self.need(job).fit(self.machine.amounts)
            )

        return sorted(filter(may, self.waiting.values()), key=lambda job: job.order)

    def expected(self) -> Job | None:
        candidates, free = self.candidates(), self.free()
        if not candidates:
            return None
        if self.need(candidates[0]).fit(free):
            return candidates[0]
        rest = free.without(self.need(candidates[0]))
        return next((job for job in candidates[1:] if self.need(job).fit(rest)), None)

    def settle(self) -> None:
        while True:
            wanted, before, candidates = self.expected(), self.free(), self.candidates()
            begun = self.scheduler.start_next()
            assert (begun and begun.uid) == (wanted and wanted.uid)
            if begun is None:
                break
            job = self.waiting.pop(begun.uid)
            job.gpus = begun.gpus
            self.running[job.uid] = job
            self.check_start(job, before, candidates)
        self.check_books()

    def check_start(self, job: Job, before: Amounts, candidates: list[Job]) -> None:
        assert not job.after, "a job starts before its dependencies allow the start"
        same = (other for other in candidates if (other.group, other.demand) == (job.group, job.demand))
        assert next(same).uid == job.uid, "a job is passed by a later one of its group with the same demand"
        head = self.need(candidates[0])
        if job.uid != candidates[0].uid:
            after = self.free()
            for has, had, wants in zip(after, before, head, strict=True):
                assert min(has, wants) == min(had, wants), "a job takes what the head waits for"
        for has, had in zip(self.free(), before, strict=True):
            assert has >= 0 or has == had, "more is given than there is"
        limit = self.limits.get(job.group, GroupSettings()).limit
        if limit is not None:
            assert sum(other.group == job.group for other in self.running.values()) <= limit

    def check_books(self) -> None:
        gpus = [gpu for job in self.running.values() for gpu in job.gpus if job.uid not in self.kept]
        assert len(gpus) == len(set(gpus)), "two jobs have one GPU"
        order = sorted(self.waiting.values(), key=lambda job: job.order)
        assert [self.scheduler.position(job.uid) for job in order] == list(range(1, len(order) + 1))
        assert (self.scheduler.waiting, self.scheduler.running) == (len(self.waiting), len(self.running))
        found: dict[tuple[str, WaitReason], int] = {}
        for group, reason, count in self.scheduler.waits():
            found[group, reason] = found.get((group, reason), 0) + count
        wanted: dict[tuple[str, WaitReason], int] = {}
        for job in order:
            wait = self.scheduler.wait_of(job.uid)
            assert wait is not None
            assert (wait.reason is WaitReason.DEPENDENCY) == bool(job.after)
            assert wait.reason is not WaitReason.ENGINE or not self.machine.is_known
            has_amounts = wait.reason in (WaitReason.GPUS, WaitReason.MEMORY, WaitReason.CPUS)
            assert not has_amounts or wait.need > 0, "a job waits for something of which it needs nothing"
            wanted[job.group, wait.reason] = wanted.get((job.group, wait.reason), 0) + 1
        assert found == wanted

    def teardown(self) -> None:
        """Without pauses and limits, every job that the machine can run runs once those before it have ended."""
        if not hasattr(self, "scheduler"):
            return
        self.pause(False)
        for group in list(self.limits):
            self.remove_group(group)
        self.change_machine(Machine(4, 6000, 8, ("0", "1", "2")))
        while self.running:
            uid = next(iter(self.running))
            del self.running[uid]
            self.leave(uid)
        assert not self.waiting
        assert self.scheduler.waiting == self.scheduler.running == 0
        assert self.scheduler.groups.names() == []


TestSchedulerModel = SchedulerMachine.TestCase
TestSchedulerModel.settings = settings(
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # a shorter history would take minutes to find
)
