"""Whether the engine's own stop ended a container, from events and failed calls."""

from collections.abc import Callable

import pytest

from jobd.docker.containers.exits.stop_evidence import MAX_BLIND_POLLS, StopEvidence
from jobd.jobs.port.model import ContainerFacts, EndCause

End = Callable[..., ContainerFacts]
HEARD = {
    "signal": StopEvidence.signalled_externally,
    "stream lost": StopEvidence.stream_lost,
    "stream back": StopEvidence.stream_back,
    "no answer": StopEvidence.engine_left,
}


def evidence(*heard: str) -> StopEvidence:
    made = StopEvidence()
    for what in heard:
        HEARD[what](made)
    return made


@pytest.mark.parametrize(
    ("heard", "code", "oom", "with_engine"),
    [
        ((), 143, False, False),
        (("signal",), 143, False, False),
        (("stream lost",), 143, False, False),
        (("stream lost",), 137, True, False),
        (("stream lost",), 137, False, True),
        (("signal", "stream lost"), 143, False, True),
        ((), 255, False, False),
        (("stream lost",), 255, False, True),
    ],
)
def test_the_engines_stop_is_the_cause_if_the_engine_was_unavailable_and_the_container_was_killed_or_signalled(
    ended: End, heard: tuple[str, ...], code: int, oom: bool, with_engine: bool
) -> None:
    cause = EndCause.OUT_OF_MEMORY if oom else EndCause.SIGNAL
    assert evidence(*heard).stopped_with_engine(ended(code, cause)) is with_engine


def test_the_engine_counts_as_unavailable_after_a_failed_call_until_the_container_runs(
    running: ContainerFacts, ended: End
) -> None:
    found = evidence("no answer")
    assert found.stopped_with_engine(ended(137))
    assert not found.stopped_with_engine(running)
    assert not found.stopped_with_engine(ended(137))


def test_a_container_that_ends_slowly_after_a_signal_is_still_signalled(
    running: ContainerFacts, ended: End
) -> None:
    found = evidence("signal")
    assert not found.stopped_with_engine(running)
    found.engine_left()
    assert found.stopped_with_engine(ended(0))


def test_a_signal_is_forgotten_when_the_container_survives_the_engines_stop(
    running: ContainerFacts, ended: End
) -> None:
    found = evidence("signal", "no answer")
    assert not found.stopped_with_engine(running)
    found.engine_left()
    assert not found.stopped_with_engine(ended(0))


def test_a_signal_is_kept_while_the_engine_is_stopping(running: ContainerFacts, ended: End) -> None:
    found = evidence("signal", "no answer")
    assert found.is_in_doubt(running)
    assert not found.stopped_with_engine(running, leaving=True)
    assert found.stopped_with_engine(ended(0))


def test_an_end_after_an_external_signal_is_in_doubt_until_the_engine_is_known_to_stop_or_stay_up(
    running: ContainerFacts, ended: End
) -> None:
    found = evidence()
    assert not found.is_in_doubt(ended(0))
    found.signalled_externally()
    assert not found.is_in_doubt(running)
    found.signalled_externally()
    assert found.is_in_doubt(ended(0))
    assert not found.stopped_with_engine(ended(0))
    found.engine_left()
    assert not found.is_in_doubt(ended(0))
    assert found.stopped_with_engine(ended(0))


@pytest.mark.parametrize(
    ("heard", "code", "with_engine"),
    [(("no answer",), 128, True), ((), 128, False), (("no answer",), 127, False)],
)
def test_a_start_that_failed_while_the_engine_stopped_is_attributed_to_the_engine(
    refused: End, heard: tuple[str, ...], code: int, with_engine: bool
) -> None:
    assert evidence(*heard).stopped_with_engine(refused(code)) is with_engine


def test_an_end_while_the_stream_is_lost_waits_for_the_missed_events(
    running: ContainerFacts, ended: End
) -> None:
    found = evidence()
    assert not found.awaiting_event_stream(ended(77))
    found.stream_lost()
    found.stream_lost()
    assert not found.awaiting_event_stream(running)
    assert found.awaiting_event_stream(ended(77))
    found.signalled_externally()  # the missed events come before the reconnect
    found.stream_back()
    assert not found.awaiting_event_stream(ended(77))
    assert found.stopped_with_engine(ended(77))


def test_the_wait_for_a_lost_stream_is_bounded(ended: End) -> None:
    found, polls = evidence("stream lost"), 0
    while found.awaiting_event_stream(ended(77)):
        polls += 1
        found.stream_lost()
    assert polls == MAX_BLIND_POLLS
    assert not found.stopped_with_engine(ended(77))


def test_an_end_event_explains_the_end_unless_the_code_is_ambiguous_or_a_signal_came(ended: End) -> None:
    assert evidence().explains(ended(3))
    assert not evidence().explains(ended(255, EndCause.UNKNOWN))
    assert not evidence("signal").explains(ended(143, EndCause.SIGNAL))
