"""The lanes, driven through any order of events: one in flight per job, bounds kept, nobody starved."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jobd.events.lanes import (
    INLINE_BUDGET_BYTES,
    LANE_CHARACTERS,
    TEXT_BUDGET_BYTES,
    TEXT_BYTES_BEHIND,
    Lanes,
    lane_of,
)
from jobd.store.rows import Due
from jobd.wire.names import url_problem

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def due(job: str, lane: str = "a", number: int = 1, body: bytes | None = b"{}") -> Due:
    return Due(number, job, job, f"e{number}", "t", f"http://{lane}/", None, lane, 0, 0, NOW, NOW, body)


class LanesMachine(RuleBasedStateMachine):
    """A model: which jobs wait in which lane, which are in flight, which are answered and not settled."""

    @initialize(workers=st.integers(1, 6), capacity=st.integers(1, 12))
    def begin(self, workers: int, capacity: int) -> None:
        self.lanes = Lanes(workers, capacity)
        self.waiting: dict[str, list[Due]] = {}
        self.in_flight: list[Due] = []
        self.answered: list[Due] = []
        self.ahead: dict[str, list[Due]] = {}
        self.unrecorded: list[Due] = []
        self.leaving: set[str] = set()
        self.passed_over: Counter[str] = Counter()

    def everywhere(self) -> list[Due]:
        return [*(d for lane in self.waiting.values() for d in lane), *self.in_flight, *self.answered]

    @rule(job=st.integers(0, 15), body=st.sampled_from([None, b"", b"xx"]), behind=st.integers(0, 4))
    def hold(self, job: int, body: bytes | None, behind: int) -> None:
        one = due(f"j{job}", "abc"[job % 3], job, body)
        ahead = [due(f"j{job}", "abc"[job % 3], job + 100 * n, b"y") for n in range(1, behind + 1)]
        one = replace(one, ahead=tuple(ahead))
        known = one.job_uid in {d.job_uid for d in self.everywhere()}
        room = self.lanes.room(one.lane)
        assert self.lanes.hold(one) == (room > 0 and not known)
        if room and not known:
            self.waiting.setdefault(one.lane, []).append(replace(one, ahead=()))
            taken = len(self.lanes._jobs[one.job_uid].ahead)
            assert taken <= behind
            self.ahead[one.job_uid] = ahead[:taken]

    @rule(closed=st.sets(st.sampled_from("abc")))
    def pick(self, closed: set[str]) -> None:
        picked = self.lanes.pick(lambda lane: lane not in closed)
        open_lanes = [lane for lane, entries in self.waiting.items() if entries and lane not in closed]
        if picked is None:
            busy = Counter(d.lane for d in self.in_flight)
            full = len(self.in_flight) >= self.lanes.workers
            assert full or all(busy[lane] > 0 for lane in open_lanes)  # an idle host's turn comes at once
            return
        assert picked.lane in open_lanes
        assert picked == self.waiting[picked.lane].pop(0)
        self.leaving.discard(picked.job_uid)
        self.in_flight.append(picked)
        for lane in open_lanes:
            self.passed_over[lane] = (
                0
                if lane == picked.lane or lane in {d.lane for d in self.in_flight}
                else (self.passed_over[lane] + 1)
            )
            assert self.passed_over[lane] <= 3  # no more turns than there are other lanes

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), proven=st.booleans())
    def answer(self, data: st.DataObject, proven: bool) -> None:
        one = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
        self.lanes.answered(one, proven)
        if proven and self.lanes.follow(one):
            self.unrecorded.append(one)
            self.waiting.setdefault(one.lane, []).append(self.ahead[one.job_uid].pop(0))
        else:
            assert not proven or not self.ahead[one.job_uid]
            self.answered.append(one)

    @precondition(lambda self: self.unrecorded)
    @rule()
    def record(self) -> None:
        one = self.unrecorded.pop(0)
        last = one.job_uid not in {d.job_uid for d in self.unrecorded}
        gone = last and one.job_uid in self.leaving
        assert self.lanes.recorded(one) == gone
        if gone:
            self.waiting[one.lane] = [d for d in self.waiting[one.lane] if d.job_uid != one.job_uid]

    @precondition(lambda self: self.answered)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        one = self.answered.pop(data.draw(st.integers(0, len(self.answered) - 1)))
        while one.job_uid in {d.job_uid for d in self.unrecorded}:
            self.record()  # the disk keeps the order
        self.lanes.settled(one)

    @rule(lane=st.sampled_from("abc"))
    def forget(self, lane: str) -> None:
        open_ends = {d.job_uid for d in self.unrecorded}
        staying = [d for d in self.waiting.get(lane, []) if d.job_uid in open_ends]
        self.leaving |= {d.job_uid for d in staying}
        assert self.lanes.forget(lane) == len(self.waiting.get(lane, [])) - len(staying)
        self.waiting[lane] = staying

    @invariant()
    def agrees(self) -> None:
        held = self.everywhere()
        uids = [d.job_uid for d in held]
        behind = {uid: self.ahead[uid] for uid in uids}
        count = sum(map(len, behind.values()))
        assert len(set(uids)) == len(uids) == self.lanes.size - count
        assert self.lanes.size <= self.lanes.capacity
        assert count <= self.lanes.capacity // 4
        assert set(self.lanes._jobs) == set(uids)
        assert all(self.lanes.holds(uid) for uid in uids)
        assert self.lanes.in_flight == len(self.in_flight) <= self.lanes.workers
        for lane in "abc":
            assert self.lanes.held(lane) == sum(d.lane == lane for d in held)
            assert len(self.waiting.get(lane, [])) <= self.lanes.lane_capacity + self.lanes.workers
        assert self.lanes._inline_bytes == sum(
            len(d.body or b"") for entries in (*self.waiting.values(), *behind.values()) for d in entries
        )
        assert self.lanes._text_bytes == sum(job.text_bytes for job in self.lanes._jobs.values()) + (
            count * TEXT_BYTES_BEHIND
        )
        assert set(self.lanes._turns) == {lane for lane, entries in self.waiting.items() if entries}
        assert len(self.lanes._turns) == len(set(self.lanes._turns))


TestLanesMachine = LanesMachine.TestCase
TestLanesMachine.settings = settings(max_examples=20, stateful_step_count=40, deadline=None)


def _take_all(lanes: Lanes, lane: str) -> list[Due]:
    taken = []
    while (one := lanes.pick(lambda name: name == lane)) is not None:
        taken.append(one)
    return taken


@given(st.integers(1, 64))
def test_hosts_that_never_answer_leave_workers_for_others(workers: int) -> None:
    lanes = Lanes(workers, 10_000)
    for lane in ("dead", "well"):
        for n in range(workers * 2):
            lanes.hold(due(f"{lane}{n}", lane))
    dead = _take_all(lanes, "dead")
    assert len(dead) == max(1, workers // 5)
    if workers > 1:
        assert len(_take_all(lanes, "well")) >= 1


def test_a_host_that_answered_and_then_hangs_leaves_workers_for_others() -> None:
    lanes = Lanes(10, 10_000)
    for n in range(40):
        lanes.hold(due(f"d{n}", "dead"))
    first = lanes.pick(lambda _: True)
    assert first is not None
    lanes.answered(first, proven=True)
    assert len(_take_all(lanes, "dead")) == 7
    lanes.hold(due("w", "well"))
    assert lanes.pick(lambda _: True) is not None


def test_lanes_take_turns() -> None:
    lanes = Lanes(10, 100)
    for lane, count in (("a", 8), ("b", 1), ("c", 1)):
        for n in range(count):
            lanes.hold(due(f"{lane}{n}", lane))
    order = [one.lane for one in iter(lambda: lanes.pick(lambda _: True), None)]
    assert order == ["a", "b", "c", "a"]


def test_bodies_in_memory_are_bounded() -> None:
    lanes = Lanes(1000, 10_000)
    half = b"x" * (INLINE_BUDGET_BYTES // 2)
    for n in range(3):
        assert lanes.hold(due(f"j{n}", f"lane{n}", n, half))
    picked = [lanes.pick(lambda _: True) for _ in range(3)]
    assert [one is not None and one.body is not None for one in picked] == [True, True, False]


@pytest.mark.parametrize(
    ("url", "lane"),
    [
        ("http://Example.COM/hook?x=1", "http://example.com:80"),
        ("HTTPS://example.com", "https://example.com:443"),
        ("http://user:pass@h:8080/", "http://h:8080"),
        ("http://[2001:DB8::1]:81/", "http://[2001:db8::1]:81"),
    ],
)
def test_a_lane_is_scheme_host_and_port(url: str, lane: str) -> None:
    assert lane_of(url) == lane


@pytest.mark.parametrize("url", ["", "http://", "ftp://h/", "http://h:99999/", "nonsense"])
def test_what_has_no_lane_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        lane_of(url)


@given(
    st.text(min_size=1, max_size=9000).map(lambda host: f"https://{host}:65535/")
    | st.text("aäİ漢.", min_size=200, max_size=8000).map(lambda host: f"https://user@{host}/")
)
def test_whatever_a_url_is_its_lane_is_short(url: str) -> None:
    if url_problem(url) is None:
        assert len(lane_of(url)) <= LANE_CHARACTERS


def long_due(number: int, url: int = 8000, key: int = 4 * 4096) -> Due:
    one = due(f"j{number}", f"lane{number}", number, None)
    return replace(one, url=f"http://{number}/" + "x" * url, key=f"{number} " + "k" * key)


def test_the_texts_of_deliveries_in_memory_are_bounded_in_bytes() -> None:
    lanes = Lanes(10, 10_000_000)
    held = [one for one in map(long_due, range(2000)) if lanes.hold(one)]
    texts = sum(len(one.url) + len(one.key or "") + len(one.lane) for one in held)
    assert TEXT_BUDGET_BYTES / 2 < texts <= TEXT_BUDGET_BYTES + 30_000
    assert not lanes.wants("another")
    assert lanes.is_nearly_full
    picked = lanes.pick(lambda _: True)
    assert picked is not None
    lanes.answered(picked, proven=True)
    lanes.settled(picked)
    assert lanes.wants("another")


def test_many_deliveries_behind_a_first_one_are_bounded_in_bytes() -> None:
    lanes = Lanes(10, 10_000_000)
    held = 0
    for number in range(0, 3_000_000, 64):
        ahead = (due(f"j{number}", body=b""),) * 64
        if not lanes.hold(replace(due(f"j{number}", f"lane{number}", number, None), ahead=ahead)):
            break
        held = lanes.size
    assert 0 < held * 500 < 2 * TEXT_BUDGET_BYTES


def test_what_waits_keeps_no_bodies_that_are_not_counted() -> None:
    lanes = Lanes(1, 4)
    big = tuple(due("j", number=n, body=b"x" * 1000) for n in range(2, 40))
    assert lanes.hold(replace(due("j"), ahead=big))
    taken = len(lanes._jobs["j"].ahead)
    assert taken < len(big)
    picked = lanes.pick(lambda _: True)
    assert picked is not None
    assert picked.ahead == ()
