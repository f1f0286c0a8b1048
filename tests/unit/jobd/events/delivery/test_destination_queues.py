"""The lanes, driven through any order of events: one in flight per job, bounds kept, nobody starved."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jobd.events.delivery.destination_queues import (
    INLINE_BUDGET_BYTES,
    LANE_CHARACTERS,
    TEXT_BUDGET_BYTES,
    TEXT_BYTES_BEHIND,
    DestinationQueues,
    destination_of,
)
from jobd.store.tables.rows import Due
from jobd.wire.validation.names import url_problem

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def due(job: str, destination: str = "a", number: int = 1, body: bytes | None = b"{}") -> Due:
    return Due(
        number, job, job, f"e{number}", "t", f"http://{destination}/", None, destination, 0, 0, NOW, NOW, body
    )


class LanesMachine(RuleBasedStateMachine):
    """A model: which jobs wait in which lane, which are in flight, which are answered and not settled."""

    @initialize(workers=st.integers(1, 6), capacity=st.integers(1, 12))
    def begin(self, workers: int, capacity: int) -> None:
        self.destinations = DestinationQueues(workers, capacity)
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
        room = self.destinations.room(one.destination)
        assert self.destinations.hold(one) == (room > 0 and not known)
        if room and not known:
            self.waiting.setdefault(one.destination, []).append(replace(one, ahead=()))
            taken = len(self.destinations._jobs[one.job_uid].ahead)
            assert taken <= behind
            self.ahead[one.job_uid] = ahead[:taken]

    @rule(closed=st.sets(st.sampled_from("abc")))
    def pick(self, closed: set[str]) -> None:
        picked = self.destinations.pick(lambda destination: destination not in closed)
        open_lanes = [
            destination
            for destination, entries in self.waiting.items()
            if entries and destination not in closed
        ]
        if picked is None:
            busy = Counter(d.destination for d in self.in_flight)
            full = len(self.in_flight) >= self.destinations.workers
            assert full or all(
                busy[destination] > 0 for destination in open_lanes
            )  # an idle host's turn comes at once
            return
        assert picked.destination in open_lanes
        assert picked == self.waiting[picked.destination].pop(0)
        self.leaving.discard(picked.job_uid)
        self.in_flight.append(picked)
        for destination in open_lanes:
            self.passed_over[destination] = (
                0
                if destination == picked.destination or destination in {d.destination for d in self.in_flight}
                else (self.passed_over[destination] + 1)
            )
            assert self.passed_over[destination] <= 3  # no more turns than there are other lanes

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), proven=st.booleans())
    def answer(self, data: st.DataObject, proven: bool) -> None:
        one = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
        self.destinations.answered(one, proven)
        if proven and self.destinations.follow(one):
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
        assert self.destinations.recorded(one) == gone
        if gone:
            self.waiting[one.destination] = [
                d for d in self.waiting[one.destination] if d.job_uid != one.job_uid
            ]

    @precondition(lambda self: self.answered)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        one = self.answered.pop(data.draw(st.integers(0, len(self.answered) - 1)))
        while one.job_uid in {d.job_uid for d in self.unrecorded}:
            self.record()  # the disk keeps the order
        self.destinations.settled(one)

    @rule(destination=st.sampled_from("abc"))
    def forget(self, destination: str) -> None:
        open_ends = {d.job_uid for d in self.unrecorded}
        staying = [d for d in self.waiting.get(destination, []) if d.job_uid in open_ends]
        self.leaving |= {d.job_uid for d in staying}
        assert self.destinations.forget(destination) == len(self.waiting.get(destination, [])) - len(staying)
        self.waiting[destination] = staying

    @invariant()
    def agrees(self) -> None:
        held = self.everywhere()
        uids = [d.job_uid for d in held]
        behind = {uid: self.ahead[uid] for uid in uids}
        count = sum(map(len, behind.values()))
        assert len(set(uids)) == len(uids) == self.destinations.size - count
        assert self.destinations.size <= self.destinations.capacity
        assert count <= self.destinations.capacity // 4
        assert set(self.destinations._jobs) == set(uids)
        assert all(self.destinations.holds(uid) for uid in uids)
        assert self.destinations.in_flight == len(self.in_flight) <= self.destinations.workers
        for destination in "abc":
            assert self.destinations.held(destination) == sum(d.destination == destination for d in held)
            assert (
                len(self.waiting.get(destination, []))
                <= self.destinations.destination_capacity + self.destinations.workers
            )
        assert self.destinations._inline_bytes == sum(
            len(d.body or b"") for entries in (*self.waiting.values(), *behind.values()) for d in entries
        )
        assert self.destinations._text_bytes == sum(
            job.text_bytes for job in self.destinations._jobs.values()
        ) + (count * TEXT_BYTES_BEHIND)
        assert set(self.destinations._turns) == {
            destination for destination, entries in self.waiting.items() if entries
        }
        assert len(self.destinations._turns) == len(set(self.destinations._turns))


TestLanesMachine = LanesMachine.TestCase
TestLanesMachine.settings = settings(max_examples=20, stateful_step_count=40, deadline=None)


def _take_all(destinations: DestinationQueues, destination: str) -> list[Due]:
    taken = []
    while (one := destinations.pick(lambda name: name == destination)) is not None:
        taken.append(one)
    return taken


@given(st.integers(1, 64))
def test_hosts_that_never_answer_leave_workers_for_others(workers: int) -> None:
    destinations = DestinationQueues(workers, 10_000)
    for destination in ("dead", "well"):
        for n in range(workers * 2):
            destinations.hold(due(f"{destination}{n}", destination))
    dead = _take_all(destinations, "dead")
    assert len(dead) == max(1, workers // 5)
    if workers > 1:
        assert len(_take_all(destinations, "well")) >= 1


def test_a_host_that_answered_and_then_hangs_leaves_workers_for_others() -> None:
    destinations = DestinationQueues(10, 10_000)
    for n in range(40):
        destinations.hold(due(f"d{n}", "dead"))
    first = destinations.pick(lambda _: True)
    assert first is not None
    destinations.answered(first, proven=True)
    assert len(_take_all(destinations, "dead")) == 7
    destinations.hold(due("w", "well"))
    assert destinations.pick(lambda _: True) is not None


def test_lanes_take_turns() -> None:
    destinations = DestinationQueues(10, 100)
    for destination, count in (("a", 8), ("b", 1), ("c", 1)):
        for n in range(count):
            destinations.hold(due(f"{destination}{n}", destination))
    order = [one.destination for one in iter(lambda: destinations.pick(lambda _: True), None)]
    assert order == ["a", "b", "c", "a"]


def test_bodies_in_memory_are_bounded() -> None:
    destinations = DestinationQueues(1000, 10_000)
    half = b"x" * (INLINE_BUDGET_BYTES // 2)
    for n in range(3):
        assert destinations.hold(due(f"j{n}", f"lane{n}", n, half))
    picked = [destinations.pick(lambda _: True) for _ in range(3)]
    assert [one is not None and one.body is not None for one in picked] == [True, True, False]


@pytest.mark.parametrize(
    ("url", "destination"),
    [
        ("http://Example.COM/hook?x=1", "http://example.com:80"),
        ("HTTPS://example.com", "https://example.com:443"),
        ("http://user:pass@h:8080/", "http://h:8080"),
        ("http://[2001:DB8::1]:81/", "http://[2001:db8::1]:81"),
    ],
)
def test_a_lane_is_scheme_host_and_port(url: str, destination: str) -> None:
    assert destination_of(url) == destination


@pytest.mark.parametrize("url", ["", "http://", "ftp://h/", "http://h:99999/", "nonsense"])
def test_what_has_no_lane_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        destination_of(url)


@given(
    st.text(min_size=1, max_size=9000).map(lambda host: f"https://{host}:65535/")
    | st.text("aäİ漢.", min_size=200, max_size=8000).map(lambda host: f"https://user@{host}/")
)
def test_whatever_a_url_is_its_lane_is_short(url: str) -> None:
    if url_problem(url) is None:
        assert len(destination_of(url)) <= LANE_CHARACTERS


def long_due(number: int, url: int = 8000, key: int = 4 * 4096) -> Due:
    one = due(f"j{number}", f"lane{number}", number, None)
    return replace(one, url=f"http://{number}/" + "x" * url, key=f"{number} " + "k" * key)


def test_the_texts_of_deliveries_in_memory_are_bounded_in_bytes() -> None:
    destinations = DestinationQueues(10, 10_000_000)
    held = [one for one in map(long_due, range(2000)) if destinations.hold(one)]
    texts = sum(len(one.url) + len(one.key or "") + len(one.destination) for one in held)
    assert TEXT_BUDGET_BYTES / 2 < texts <= TEXT_BUDGET_BYTES + 30_000
    assert not destinations.wants("another")
    assert destinations.is_nearly_full
    picked = destinations.pick(lambda _: True)
    assert picked is not None
    destinations.answered(picked, proven=True)
    destinations.settled(picked)
    assert destinations.wants("another")


def test_many_deliveries_behind_a_first_one_are_bounded_in_bytes() -> None:
    destinations = DestinationQueues(10, 10_000_000)
    held = 0
    for number in range(0, 3_000_000, 64):
        ahead = (due(f"j{number}", body=b""),) * 64
        if not destinations.hold(replace(due(f"j{number}", f"lane{number}", number, None), ahead=ahead)):
            break
        held = destinations.size
    assert 0 < held * 500 < 2 * TEXT_BUDGET_BYTES


def test_what_waits_keeps_no_bodies_that_are_not_counted() -> None:
    destinations = DestinationQueues(1, 4)
    big = tuple(due("j", number=n, body=b"x" * 1000) for n in range(2, 40))
    assert destinations.hold(replace(due("j"), ahead=big))
    taken = len(destinations._jobs["j"].ahead)
    assert taken < len(big)
    picked = destinations.pick(lambda _: True)
    assert picked is not None
    assert picked.ahead == ()
