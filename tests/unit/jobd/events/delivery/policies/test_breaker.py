"""The breaker agrees with a model in any order of events."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jobd.events.delivery.policies.breaker import MAX_BREAKERS, Breaker, Breakers, State, Ticket

COOLDOWN = 30.0


class BreakerMachine(RuleBasedStateMachine):
    """A model of one breaker: its tickets, and the state in which each was answered."""

    @initialize(threshold=st.integers(1, 4))
    def begin(self, threshold: int) -> None:
        self.threshold = threshold
        self.breaker = Breaker(threshold, COOLDOWN)
        self.now = 0.0
        self.current: list[Ticket] = []
        self.late: list[Ticket] = []
        self.failures = 0
        self.opened_at: float | None = None
        self.probe: Ticket | None = None

    def expected(self) -> State:
        if self.opened_at is None:
            return "closed"
        return "open" if self.now - self.opened_at < COOLDOWN else "half-open"

    def turn(self, opened_at: float | None) -> None:
        self.late += self.current
        self.current = []
        self.opened_at, self.failures, self.probe = opened_at, 0, None

    @rule(seconds=st.sampled_from([0.0, 1.0, 29.5, 30.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def take(self) -> None:
        if not self.breaker.admits(self.now):
            with pytest.raises(ValueError, match="admits"):
                self.breaker.take(self.now)
            return
        ticket = self.breaker.take(self.now)
        if self.expected() == "half-open":
            assert self.probe is None
            self.probe = ticket
        else:
            self.current.append(ticket)

    @precondition(lambda self: self.current)
    @rule(up=st.booleans())
    def answer(self, up: bool) -> None:
        ticket = self.current.pop()
        if up:
            self.breaker.succeed(ticket)
            self.failures = 0
        else:
            self.breaker.fail(ticket, self.now)
            self.failures += 1
            if self.failures == self.threshold:
                self.turn(self.now)

    @precondition(lambda self: self.probe is not None)
    @rule(outcome=st.sampled_from(["up", "down", "unknown"]))
    def answer_probe(self, outcome: str) -> None:
        ticket = self.probe
        assert ticket is not None
        if outcome == "up":
            self.breaker.succeed(ticket)
            self.turn(None)
        elif outcome == "down":
            self.breaker.fail(ticket, self.now)
            self.turn(self.now)
        else:
            self.breaker.release(ticket)
            self.probe = None

    @precondition(lambda self: self.late)
    @rule(outcome=st.sampled_from(["up", "down", "unknown"]))
    def late_answer_changes_nothing(self, outcome: str) -> None:
        ticket = self.late.pop()
        if outcome == "up":
            self.breaker.succeed(ticket)
        elif outcome == "down":
            self.breaker.fail(ticket, self.now)
        else:
            self.breaker.release(ticket)

    @invariant()
    def agrees(self) -> None:
        state = self.expected()
        assert self.breaker.state(self.now) == state
        assert self.breaker.admits(self.now) == (
            state == "closed" or (state == "half-open" and self.probe is None)
        )
        assert (self.breaker.wait_s(self.now) > 0) == (state == "open")
        under_way = bool(self.current or self.late or self.probe)
        assert self.breaker.forgettable == (state == "closed" and not self.failures and not under_way)


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_breakers_are_kept_apart_and_forgotten_when_well() -> None:
    changes: list[tuple[str, State]] = []
    breakers = Breakers(2, COOLDOWN, lambda destination, state: changes.append((destination, state)))
    for _ in range(2):
        breakers.record("a", breakers.take("a", 0), "down", 0)
    assert (breakers.state("a", 0), breakers.state("b", 0)) == ("open", "closed")
    assert not breakers.admits("a", 29)
    assert breakers.admits("b", 29)
    assert breakers.open_count(29) == 1
    probe = breakers.take("a", 30)
    assert not breakers.admits("a", 30)
    breakers.record("a", probe, "up", 31)
    assert changes == [("a", "open"), ("a", "half-open"), ("a", "closed")]
    assert breakers.size == 0


def test_requests_under_way_share_their_breaker_until_the_last_has_ended() -> None:
    breakers = Breakers(2, COOLDOWN, lambda destination, state: None)
    taken = [breakers.take("a", 0) for _ in range(4)]
    for one, host in zip(taken, ("up", "down", "down", "up"), strict=True):
        breakers.record("a", one, host, 0)  # type: ignore[arg-type]
    assert breakers.state("a", 0) == "open"


def test_a_breaker_rests_after_its_cooldown_and_is_forgotten_only_then() -> None:
    changes: list[tuple[str, State]] = []
    breakers = Breakers(1, COOLDOWN, lambda destination, state: changes.append((destination, state)))
    for destination in ("b", "a", "c"):
        breakers.record(destination, breakers.take(destination, 0), "down", 0)
    assert breakers.rested(COOLDOWN - 1, "", 9) == []
    breakers.forget("a", COOLDOWN - 1)
    assert breakers.size == 3
    assert (breakers.rested(COOLDOWN, "", 2), breakers.rested(COOLDOWN, "b", 9)) == (["a", "b"], ["c"])
    probe = breakers.take("b", COOLDOWN)
    breakers.forget("b", COOLDOWN)
    assert breakers.size == 3, "a request is under way"
    breakers.forget("a", COOLDOWN)
    breakers.forget("nobody", COOLDOWN)
    assert (breakers.size, breakers.open_count(COOLDOWN)) == (2, 2)
    assert changes[-1] == ("a", "closed")
    breakers.record("b", probe, "up", COOLDOWN)
    assert breakers.size == 1


def test_more_hosts_that_fail_than_are_remembered() -> None:
    open_now: set[str] = set()

    def changes(destination: str, state: State) -> None:
        (open_now.discard if state == "closed" else open_now.add)(destination)

    breakers = Breakers(1, COOLDOWN, changes)
    held = breakers.take("held", 0)
    for n in range(MAX_BREAKERS + 20):
        breakers.record(f"h{n}", breakers.take(f"h{n}", n), "down", n)
    assert breakers.size == MAX_BREAKERS
    assert len(open_now) == MAX_BREAKERS - 1
    assert breakers.admits("h0", MAX_BREAKERS)
    assert not breakers.admits(f"h{MAX_BREAKERS + 19}", MAX_BREAKERS + 19)
    breakers.record("held", held, "down", MAX_BREAKERS + 20)
    assert breakers.size == MAX_BREAKERS
    assert "held" in open_now


def test_a_result_that_does_not_depend_on_the_host_changes_nothing() -> None:
    breakers = Breakers(1, COOLDOWN, lambda destination, state: pytest.fail("changed"))
    breakers.record("a", breakers.take("a", 0), "unknown", 0)
    assert breakers.size == 0
