"""The queues in any order of events: one in flight per job, bounds kept, no destination starved."""

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from jobd.events.delivery.queues.destination_queues import (
    INLINE_BUDGET_BYTES,
    TEXT_BUDGET_BYTES,
    TEXT_BYTES_BEHIND,
    DestinationQueues,
)
from jobd.store.tables.delivery_rows import Due

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def due(job: str, destination: str = "a", number: int = 1, body: bytes | None = b"{}") -> Due:
    return Due(
        number, job, job, f"e{number}", "t", f"http://{destination}/", None, destination, 0, 0, NOW, 0, body
    )


class QueuesMachine(RuleBasedStateMachine):
    """A model: which jobs wait for which destination, which are in flight, which are answered and not settled."""

    @initialize(workers=st.integers(1, 6), capacity=st.integers(1, 12))
    def begin(self, workers: int, capacity: int) -> None:
        self.queues = DestinationQueues(workers, capacity)
        self.waiting: dict[str, list[Due]] = {}
        self.in_flight: list[Due] = []
        self.answered: list[Due] = []
        self.ahead: dict[str, list[Due]] = {}
        self.unrecorded: list[Due] = []
        self.leaving: set[str] = set()
        self.passed_over: Counter[str] = Counter()

    def everywhere(self) -> list[Due]:
        return [
            *(d for destination in self.waiting.values() for d in destination),
            *self.in_flight,
            *self.answered,
        ]

    @rule(job=st.integers(0, 15), body=st.sampled_from([None, b"", b"xx"]), behind=st.integers(0, 4))
    def hold(self, job: int, body: bytes | None, behind: int) -> None:
        one = due(f"j{job}", "abc"[job % 3], job, body)
        ahead = [due(f"j{job}", "abc"[job % 3], job + 100 * n, b"y") for n in range(1, behind + 1)]
        one = replace(one, ahead=tuple(ahead))
        known = one.job_uid in {d.job_uid for d in self.everywhere()}
        room = self.queues.room(one.destination)
        assert self.queues.hold(one) == (room > 0 and not known)
        if room and not known:
            self.waiting.setdefault(one.destination, []).append(replace(one, ahead=()))
            taken = len(self.queues._jobs[one.job_uid].ahead)
            assert taken <= behind
            self.ahead[one.job_uid] = ahead[:taken]

    @rule(closed=st.sets(st.sampled_from("abc")))
    def pick(self, closed: set[str]) -> None:
        picked = self.queues.pick(lambda destination: destination not in closed)
        open_destinations = [
            destination
            for destination, entries in self.waiting.items()
            if entries and destination not in closed
        ]
        if picked is None:
            busy = Counter(d.destination for d in self.in_flight)
            full = len(self.in_flight) >= self.queues.workers
            assert full or all(
                busy[destination] > 0 for destination in open_destinations
            )  # an idle host is served at once
            return
        assert picked.destination in open_destinations
        assert picked == self.waiting[picked.destination].pop(0)
        self.leaving.discard(picked.job_uid)
        self.in_flight.append(picked)
        for destination in open_destinations:
            self.passed_over[destination] = (
                0
                if destination == picked.destination or destination in {d.destination for d in self.in_flight}
                else (self.passed_over[destination] + 1)
            )
            assert self.passed_over[destination] <= 3  # at most as often as there are other destinations

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), proven=st.booleans())
    def answer(self, data: st.DataObject, proven: bool) -> None:
        one = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
        self.queues.answered(one, proven)
        if proven and self.queues.follow(one):
            self.unrecorded.append(one)
            self.waiting.setdefault(one.destination, []).append(self.ahead[one.job_uid].pop(0))
        else:
            assert not proven or not self.ahead[one.job_uid]
            self.answered.append(one)

    @precondition(lambda self: self.unrecorded)
    @rule()
    def record(self) -> None:
        one = self.unrecorded.pop(0)
        last = one.job_uid not in {d.job_uid for d in self.unrecorded}
        gone = last and one.job_uid in self.leaving
        assert self.queues.recorded(one) == gone
        if gone:
            self.waiting[one.destination] = [
                d for d in self.waiting[one.destination] if d.job_uid != one.job_uid
            ]

    @precondition(lambda self: self.answered)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        one = self.answered.pop(data.draw(st.integers(0, len(self.answered) - 1)))
        while one.job_uid in {d.job_uid for d in self.unrecorded}:
            self.record()  # the settler keeps the order
        self.queues.settled(one)

    @rule(destination=st.sampled_from("abc"))
    def forget(self, destination: str) -> None:
        open_ends = {d.job_uid for d in self.unrecorded}
        staying = [d for d in self.waiting.get(destination, []) if d.job_uid in open_ends]
        self.leaving |= {d.job_uid for d in staying}
        assert self.queues.forget(destination) == len(self.waiting.get(destination, [])) - len(staying)
        self.waiting[destination] = staying

    @invariant()
    def agrees(self) -> None:
        held = self.everywhere()
        uids = [d.job_uid for d in held]
        behind = {uid: self.ahead[uid] for uid in uids}
        count = sum(map(len, behind.values()))
        assert len(set(uids)) == len(uids) == self.queues.size - count
        assert self.queues.size <= self.queues.capacity
        assert count <= self.queues.capacity // 4
        assert set(self.queues._jobs) == set(uids)
        assert all(self.queues.holds(uid) for uid in uids)
        assert self.queues.in_flight == len(self.in_flight) <= self.queues.workers
        for destination in "abc":
            assert self.queues.held(destination) == sum(d.destination == destination for d in held)
            assert (
                len(self.waiting.get(destination, []))
                <= self.queues.destination_capacity + self.queues.workers
            )
        assert self.queues._inline_bytes == sum(
            len(d.body or b"") for entries in (*self.waiting.values(), *behind.values()) for d in entries
        )
        assert self.queues._text_bytes == sum(job.text_bytes for job in self.queues._jobs.values()) + (
            count * TEXT_BYTES_BEHIND
        )
        assert set(self.queues._turns) == {
            destination for destination, entries in self.waiting.items() if entries
        }
        assert len(self.queues._turns) == len(set(self.queues._turns))


TestQueuesMachine = QueuesMachine.TestCase
TestQueuesMachine.settings = settings(max_examples=20, stateful_step_count=40, deadline=None)


def _take_all(queues: DestinationQueues, destination: str) -> list[Due]:
    taken = []
    while (one := queues.pick(lambda name: name == destination)) is not None:
        taken.append(one)
    return taken


@given(st.integers(1, 64))
def test_hosts_that_never_answer_leave_workers_for_others(workers: int) -> None:
    queues = DestinationQueues(workers, 10_000)
    for destination in ("dead", "well"):
        for n in range(workers * 2):
            queues.hold(due(f"{destination}{n}", destination))
    dead = _take_all(queues, "dead")
    assert len(dead) == max(1, workers // 5)
    if workers > 1:
        assert len(_take_all(queues, "well")) >= 1


def test_a_host_that_answered_and_then_hangs_leaves_workers_for_others() -> None:
    queues = DestinationQueues(10, 10_000)
    for n in range(40):
        queues.hold(due(f"d{n}", "dead"))
    first = queues.pick(lambda _: True)
    assert first is not None
    queues.answered(first, proven=True)
    assert len(_take_all(queues, "dead")) == 7
    queues.hold(due("w", "well"))
    assert queues.pick(lambda _: True) is not None


def test_destinations_take_turns() -> None:
    queues = DestinationQueues(10, 100)
    for destination, count in (("a", 8), ("b", 1), ("c", 1)):
        for n in range(count):
            queues.hold(due(f"{destination}{n}", destination))
    order = [one.destination for one in iter(lambda: queues.pick(lambda _: True), None)]
    assert order == ["a", "b", "c", "a"]


def test_bodies_in_memory_are_bounded() -> None:
    queues = DestinationQueues(1000, 10_000)
    half = b"x" * (INLINE_BUDGET_BYTES // 2)
    for n in range(3):
        assert queues.hold(due(f"j{n}", f"host{n}", n, half))
    picked = [queues.pick(lambda _: True) for _ in range(3)]
    assert [one is not None and one.body is not None for one in picked] == [True, True, False]


def long_due(number: int, url: int = 8000, key: int = 4 * 4096) -> Due:
    one = due(f"j{number}", f"host{number}", number, None)
    return replace(one, url=f"http://{number}/" + "x" * url, key=f"{number} " + "k" * key)


def test_the_texts_of_deliveries_in_memory_are_bounded_in_bytes() -> None:
    queues = DestinationQueues(10, 10_000_000)
    held = [one for one in map(long_due, range(2000)) if queues.hold(one)]
    texts = sum(len(one.url) + len(one.key or "") + len(one.destination) for one in held)
    assert TEXT_BUDGET_BYTES / 2 < texts <= TEXT_BUDGET_BYTES + 30_000
    assert not queues.wants("another")
    assert queues.is_nearly_full
    picked = queues.pick(lambda _: True)
    assert picked is not None
    queues.answered(picked, proven=True)
    queues.settled(picked)
    assert queues.wants("another")


def test_many_deliveries_behind_a_first_one_are_bounded_in_bytes() -> None:
    queues = DestinationQueues(10, 10_000_000)
    held = 0
    for number in range(0, 3_000_000, 64):
        ahead = (due(f"j{number}", body=b""),) * 64
        if not queues.hold(replace(due(f"j{number}", f"host{number}", number, None), ahead=ahead)):
            break
        held = queues.size
    assert 0 < held * 500 < 2 * TEXT_BUDGET_BYTES


def test_waiting_deliveries_keep_no_uncounted_bodies() -> None:
    queues = DestinationQueues(1, 4)
    big = tuple(due("j", number=n, body=b"x" * 1000) for n in range(2, 40))
    assert queues.hold(replace(due("j"), ahead=big))
    taken = len(queues._jobs["j"].ahead)
    assert taken < len(big)
    picked = queues.pick(lambda _: True)
    assert picked is not None
    assert picked.ahead == ()
