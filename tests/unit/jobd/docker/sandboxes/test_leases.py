"""Leases of sandboxes: one job at a time, and free exactly once."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jobd.docker.sandboxes.leases import Leases
from jobd.jobs.port.model import JobRef

REF, OTHER = JobRef("u1", "one"), JobRef("u2", "two")


def leased(*containers: str) -> Leases:
    leases = Leases()
    leases.begin(REF, "box")
    leases.joined(REF, containers)
    return leases


def test_a_sandbox_is_free_once_all_containers_have_ended() -> None:
    leases = leased("worker", "sidecar")
    assert leases.ended("sidecar") is None
    assert leases.ended("sidecar") is None
    assert leases.ended("worker") == "box"
    assert leases.ended("worker") is None
    assert len(leases) == 0


def test_a_job_without_a_sandbox_is_demand_alone() -> None:
    leases = Leases()
    leases.begin(REF, None)
    leases.joined(REF, ["worker"])
    assert (len(leases), leases.sandbox_ids) == (1, set())
    assert leases.ended("worker") is None
    assert len(leases) == 0


def test_a_list_from_before_the_containers_ends_no_lease() -> None:
    leases = Leases()
    leases.begin(REF, "box")
    settled = leases.settled()
    leases.joined(REF, ["worker"])
    assert leases.reconcile(settled, {}) == []
    assert leases.reconcile(leases.settled(), {}) == ["box"]


def test_a_missed_end_is_found_in_the_list() -> None:
    leases = leased("worker", "sidecar")
    assert leases.reconcile(leases.settled(), {REF: {"sidecar"}}) == []
    assert leases.ended("sidecar") == "box"


def test_a_container_in_the_list_that_has_ended_since_stays_ended() -> None:
    leases = leased("worker", "sidecar")
    settled = leases.settled()
    leases.ended("worker")
    assert leases.reconcile(settled, {REF: {"worker", "sidecar"}}) == []
    assert leases.ended("sidecar") == "box"


def test_a_sandbox_that_ends_first_names_its_job() -> None:
    leases = leased("worker")
    assert leases.broken("another") is None
    assert leases.broken("box") == REF
    lease = leases.of(REF)
    assert lease is not None
    assert lease.is_broken


def test_the_leases_of_all_attempts_end_with_the_job() -> None:
    leases = leased("worker")
    again = JobRef(REF.uid, REF.id, 2)
    leases.begin(again, "second")
    leases.begin(OTHER, "third")
    assert sorted(leases.end_all(REF.uid)) == ["box", "second"]
    assert leases.end_all(REF.uid) == []
    assert leases.sandbox_ids == {"third"}


def test_an_adopted_lease_does_not_replace_a_known_one() -> None:
    leases = leased("worker")
    leases.adopt(REF, "older", ["worker"])
    leases.adopt(OTHER, "older", ["third"])
    assert leases.ended("worker") == "box"
    assert leases.ended("third") == "older"


class Walk(RuleBasedStateMachine):
    """A pool of three sandboxes and jobs with one or two containers; reports of ends may come twice, late or never."""

    def __init__(self) -> None:
        super().__init__()
        self.leases = Leases()
        self.free = ["a", "b", "c"]
        self.running: dict[JobRef, set[str]] = {}
        self.jobs = 0

    def freed(self, sandbox_id: str | None) -> None:
        if sandbox_id is not None:
            assert sandbox_id not in self.free, "freed twice"
            self.free.append(sandbox_id)

    @rule(containers=st.integers(1, 2))
    def create(self, containers: int) -> None:
        self.jobs += 1
        ref = JobRef(f"u{self.jobs}", f"job{self.jobs}")
        self.leases.begin(ref, self.free.pop() if self.free else None)
        self.running[ref] = {f"{ref.id}-{number}" for number in range(containers)}
        self.leases.joined(ref, self.running[ref])

    @precondition(lambda self: self.running)
    @rule(data=st.data(), told=st.integers(0, 2))
    def end_container(self, data: st.DataObject, told: int) -> None:
        ref = data.draw(st.sampled_from(sorted(self.running, key=lambda ref: ref.id)))
        container = data.draw(st.sampled_from(sorted(self.running[ref])))
        self.running[ref].discard(container)
        if not self.running[ref]:
            del self.running[ref]
        for _ in range(told):
            self.freed(self.leases.ended(container))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        ref = data.draw(st.sampled_from(sorted(self.running, key=lambda ref: ref.id)))
        del self.running[ref]
        self.freed(self.leases.end(ref))
        self.freed(self.leases.end(ref))

    @rule()
    def reconcile(self) -> None:
        alive = {ref: set(containers) for ref, containers in self.running.items()}
        for sandbox_id in self.leases.reconcile(self.leases.settled(), alive):
            self.freed(sandbox_id)
        assert len(self.leases) == sum(self.leases.of(ref) is not None for ref in self.running)

    @invariant()
    def no_sandbox_serves_two(self) -> None:
        used = [
            lease.sandbox_id
            for ref in self.running
            if (lease := self.leases.of(ref)) is not None and lease.sandbox_id is not None
        ]
        assert len(used) == len(set(used))
        assert not set(used) & set(self.free)


TestLeases = Walk.TestCase
TestLeases.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
