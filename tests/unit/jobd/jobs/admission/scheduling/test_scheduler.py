"""Examples of the scheduler's rule: order, groups, reservations, GPUs, dependencies, and what a job is told about its wait."""

import pytest

from jobd.jobs.admission.scheduling.groups import GroupSettings
from jobd.jobs.admission.scheduling.resources import ALL_GPUS, UNLIMITED, Amounts, Demand, Machine, demand_of
from jobd.jobs.admission.scheduling.scheduler import Scheduler
from jobd.jobs.admission.scheduling.waits import WaitReason

SMALL = Demand(0, 512)


def add(
    scheduler: Scheduler, uid: str, demand: Demand = SMALL, group: str = "default", priority: int = 0
) -> None:
    scheduler.add(uid, group, priority, scheduler.waiting + scheduler.running + 1, demand)


def started(scheduler: Scheduler) -> list[str]:
    found = []
    while (begun := scheduler.start_next()) is not None:
        found.append(begun.uid)
    return found


def reason(scheduler: Scheduler, uid: str) -> WaitReason | None:
    wait = scheduler.wait_of(uid)
    return wait and wait.reason


def test_a_higher_priority_starts_first_and_equal_priorities_in_the_order_of_their_arrival() -> None:
    scheduler = Scheduler(Machine(1))
    for uid, priority in (("a", 0), ("b", 5), ("c", 5), ("d", -5)):
        add(scheduler, uid, priority=priority)
    assert [scheduler.position(uid) for uid in "abcd"] == [3, 1, 2, 4]
    order = []
    while (begun := scheduler.start_next()) is not None:
        order.append(begun.uid)
        scheduler.release(begun.uid)
    assert order == ["b", "c", "a", "d"]


def test_a_job_behind_the_head_starts_within_what_the_head_leaves() -> None:
    scheduler = Scheduler(Machine(8, UNLIMITED, 4000, ("0",)))
    add(scheduler, "first", Demand(0, 1000, 1))
    add(scheduler, "head", Demand(0, 2000, 1))
    add(scheduler, "fits", Demand(0, 900))
    add(scheduler, "takes the head's memory", Demand(0, 200))
    assert started(scheduler) == ["first", "fits"]
    assert reason(scheduler, "head") is WaitReason.GPUS
    assert reason(scheduler, "takes the head's memory") is WaitReason.TURN
    scheduler.release("first")
    assert started(scheduler) == ["head", "takes the head's memory"]


def test_nothing_passes_a_head_that_waits_for_memory() -> None:
    scheduler = Scheduler(Machine(8, UNLIMITED, 4000))
    add(scheduler, "first", Demand(0, 1000))
    add(scheduler, "head", Demand(0, 4000))
    add(scheduler, "small", Demand(0, 6))
    assert started(scheduler) == ["first"]
    assert reason(scheduler, "small") is WaitReason.TURN
    scheduler.release("first")
    assert started(scheduler) == ["head"]


def test_a_decision_compares_each_demand_once_however_many_groups_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scheduler = Scheduler(Machine(99, 4000, 10_000))
    add(scheduler, "first", Demand(3000, 6000))
    assert started(scheduler) == ["first"]
    demands = [Demand(2000, 512), Demand(4000, 600), Demand(0, 20_000), Demand(0, 9000)]
    for number in range(100):
        for demand in demands:
            add(scheduler, f"{number}-{demand}", demand, f"group-{number}")
    compared: list[Demand] = []
    need = Scheduler._need

    def compare(self: Scheduler, demand: Demand) -> Amounts:
        compared.append(demand)
        return need(self, demand)

    monkeypatch.setattr(Scheduler, "_need", compare)
    assert started(scheduler) == []
    assert compared == demands


def test_a_full_or_paused_group_does_not_hold_up_the_others() -> None:
    scheduler = Scheduler(Machine(8))
    scheduler.set_group("gpu", GroupSettings(limit=1))
    scheduler.set_group("night", GroupSettings(paused=True))
    for uid, group in (("a", "gpu"), ("b", "gpu"), ("c", "night"), ("d", "default")):
        add(scheduler, uid, group=group)
    assert started(scheduler) == ["a", "d"]
    assert reason(scheduler, "b") is WaitReason.GROUP_LIMIT
    assert reason(scheduler, "c") is WaitReason.GROUP_PAUSED
    scheduler.set_group("night", GroupSettings())
    scheduler.release("a")
    assert started(scheduler) == ["b", "c"]


def test_a_pause_of_everything_starts_nothing() -> None:
    scheduler = Scheduler(Machine(8))
    scheduler.set_paused(True)
    add(scheduler, "a")
    assert started(scheduler) == []
    assert reason(scheduler, "a") is WaitReason.PAUSED
    scheduler.set_paused(False)
    assert started(scheduler) == ["a"]


def test_a_gpu_is_leased_to_one_job_at_a_time() -> None:
    scheduler = Scheduler(Machine(8, gpus=("0", "1", "2")))
    add(scheduler, "a", Demand(0, 1, 2))
    add(scheduler, "b", Demand(0, 1, ALL_GPUS))
    assert scheduler.start_next() == ("a", ("0", "1"))
    assert scheduler.start_next() is None
    scheduler.release("a")
    assert scheduler.start_next() == ("b", ("0", "1", "2"))
    assert scheduler.gpus_of("b") == ("0", "1", "2")


def test_jobs_that_run_at_once_have_different_gpus() -> None:
    scheduler = Scheduler(Machine(8, gpus=("0", "1")))
    for uid in ("a", "b", "c"):
        add(scheduler, uid, Demand(0, 1, 1))
    assert (scheduler.start_next(), scheduler.start_next()) == (("a", ("0",)), ("b", ("1",)))
    assert scheduler.start_next() is None
    scheduler.release("a")
    assert scheduler.start_next() == ("c", ("0",))


def test_a_job_from_before_a_restart_keeps_its_gpu_and_its_place_over_the_limit() -> None:
    scheduler = Scheduler(Machine(1, gpus=("0", "1")))
    scheduler.hold("a", "default", Demand(0, 1, 1), ("1",))
    scheduler.hold("b", "default", SMALL, ())
    add(scheduler, "c", Demand(0, 1, 1))
    assert (scheduler.running, started(scheduler)) == (2, [])
    scheduler.release("b")
    assert started(scheduler) == []
    scheduler.release("a")
    assert scheduler.start_next() == ("c", ("0",))


def test_a_job_that_the_machine_cannot_run_any_more_holds_nobody_up() -> None:
    scheduler = Scheduler(Machine(2, gpus=("0",)))
    add(scheduler, "gpu", Demand(0, 1, 1))
    add(scheduler, "all", Demand(0, 1, ALL_GPUS))
    scheduler.set_machine(Machine(2))
    add(scheduler, "plain")
    assert started(scheduler) == ["plain"]
    assert reason(scheduler, "gpu") is reason(scheduler, "all") is WaitReason.MACHINE


def test_a_job_that_needs_no_cores_starts_while_running_jobs_hold_more_than_the_machine_has() -> None:
    scheduler = Scheduler(Machine(8, 4000, 4000))
    add(scheduler, "wide", Demand(3000, 500))
    assert started(scheduler) == ["wide"]
    scheduler.set_machine(Machine(8, 2000, 4000))
    add(scheduler, "small", Demand(0, 500))
    assert started(scheduler) == ["small"]


def test_a_blocked_job_starts_once_its_record_has_taken_in_every_end() -> None:
    scheduler = Scheduler(Machine(8))
    scheduler.set_group("gpu", GroupSettings(limit=1))
    for uid in "abc":
        add(scheduler, uid)
    scheduler.block("c", ["a", "b"])
    assert started(scheduler) == ["a", "b"]
    assert reason(scheduler, "c") is WaitReason.DEPENDENCY
    assert scheduler.news("c") is None
    assert scheduler.dependency_ended("a", "completed") == ["c"]
    assert scheduler.news("c") == ("a", "completed")
    assert started(scheduler) == []
    scheduler.block("c", ["b"])
    assert scheduler.news("c") is None
    assert scheduler.dependency_ended("b", "failed") == ["c"]
    scheduler.block("c", [])
    assert started(scheduler) == ["c"]


def test_calls_for_unknown_jobs_change_nothing() -> None:
    scheduler = Scheduler(Machine(1))
    scheduler.release("x")
    scheduler.block("x", ["y"])
    scheduler.reorder("x", 1, 1)
    assert scheduler.dependency_ended("x", "completed") == []
    assert (scheduler.position("x"), scheduler.wait_of("x"), scheduler.ahead_of("x")) == (None, None, None)
    assert (scheduler.waiting, scheduler.running) == (0, 0)


@pytest.mark.parametrize(
    ("cpu", "millicpus"), [(0.01, 0), (1.0, 0), (1.001, 1001), (2.5, 2500)]
)  # fmt: skip
def test_up_to_one_core_needs_a_place_alone(cpu: float, millicpus: int) -> None:
    assert demand_of(cpu, 64, "all") == Demand(millicpus, 64, ALL_GPUS)
