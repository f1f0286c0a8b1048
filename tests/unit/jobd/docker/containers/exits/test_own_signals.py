"""Which of the engine's `kill` events come from jobd."""

import pytest

from jobd.docker.containers.exits import own_signals
from jobd.docker.containers.exits.own_signals import OwnSignals
from jobd.docker.mapping.inspection import LONGEST_ID


def test_a_requested_signal_matches_one_event() -> None:
    own = OwnSignals()
    assert not own.is_own("c", "15")
    own.expect("c", "SIGTERM")
    assert not own.is_own("c", "9")
    assert not own.is_own("other", "15")
    assert own.is_own("c", "15")
    assert not own.is_own("c", "15"), "somebody else has sent another one"


def test_each_request_matches_one_event_and_a_refused_request_none() -> None:
    own = OwnSignals()
    own.expect("c", "SIGKILL")
    own.expect("c", "SIGKILL")
    own.expect("c", "SIGTERM")
    own.refused("c", "SIGTERM")
    assert [own.is_own("c", "9") for _ in range(3)] == [True, True, False]
    assert not own.is_own("c", "15")


@pytest.mark.parametrize("number", ["", "x", "-9", "9" * 5000, "٩"])
def test_an_event_without_a_signal_number_is_not_own(number: str) -> None:
    own = OwnSignals()
    own.expect("c", "SIGKILL")
    assert not own.is_own("c", number)


def test_expected_signals_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_signals, "_REMEMBERED", 100)
    own = OwnSignals()
    for number in range(300):
        own.expect(f"c{number}", "SIGTERM")
    assert len(own._expected) == 100
    assert own.is_own("c299", "15"), "the oldest are forgotten first"
    own.expect("x" * (LONGEST_ID + 1), "SIGTERM")
    assert len(own._expected) == 99
