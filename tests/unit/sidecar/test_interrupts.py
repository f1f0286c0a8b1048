"""Signals: what they mean before and after the inputs, and that repeating one changes nothing."""

import os
import signal

import pytest

from sidecar.interrupts import Cancelled, Interrupts, TimeIsUp, WorkerEnd


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("number", "end"),
    [(signal.SIGUSR1, "success"), (signal.SIGUSR2, "failure"), (signal.SIGTERM, "success")],
)
@pytest.mark.parametrize("interrupts", ["worker-ended"], indirect=True)
def test_a_signal_after_the_inputs_means_the_workers_end(
    interrupts: Interrupts, number: int, end: WorkerEnd
) -> None:
    interrupts.inputs_are_over()
    for _ in range(3):
        send(number)
    send(signal.SIGUSR2)
    assert interrupts.wait_for_worker_end(0) == end
    assert interrupts.wait_for_worker_end(10) == end


def test_sigterm_of_a_stopping_engine_ends_the_wait_and_says_nothing_of_the_worker(
    interrupts: Interrupts,
) -> None:
    interrupts.inputs_are_over()
    with pytest.raises(Cancelled):
        send(signal.SIGTERM)


def test_sigterm_after_the_workers_end_changes_nothing(interrupts: Interrupts) -> None:
    interrupts.inputs_are_over()
    send(signal.SIGUSR2)
    send(signal.SIGTERM)
    assert interrupts.wait_for_worker_end(0) == "failure"


def test_a_signal_ends_a_wait(interrupts: Interrupts) -> None:
    interrupts.inputs_are_over()
    signal.signal(signal.SIGALRM, lambda *_: send(signal.SIGUSR1))
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    assert interrupts.wait_for_worker_end(60) == "success"


def test_without_a_signal_the_wait_ends(interrupts: Interrupts) -> None:
    interrupts.inputs_are_over()
    assert interrupts.wait_for_worker_end(0.001) is None


def test_a_signal_during_the_inputs_cancels_once(interrupts: Interrupts) -> None:
    with pytest.raises(Cancelled):
        send(signal.SIGTERM)
    send(signal.SIGTERM)
    send(signal.SIGUSR1)
    with pytest.raises(Cancelled):
        interrupts.inputs_are_over()


def test_exceptions_are_postponed_to_the_end_of_the_block(interrupts: Interrupts) -> None:
    reached = []

    def work() -> None:
        with interrupts.held():
            send(signal.SIGTERM)
            reached.append("inside")
        reached.append("after")

    with pytest.raises(Cancelled):
        work()
    assert reached == ["inside"]


def test_a_lost_cancellation_is_raised_again(interrupts: Interrupts) -> None:
    try:
        send(signal.SIGTERM)
    except Cancelled:
        pass
    with pytest.raises(Cancelled):
        interrupts.checkpoint()


def test_a_time_limit_ends_only_its_block(interrupts: Interrupts) -> None:
    read, write = os.pipe()
    with pytest.raises(TimeIsUp), interrupts.time_limit(0.005):
        os.read(read, 1)
    with interrupts.time_limit(60):
        pass
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    os.close(read)
    os.close(write)


def test_a_time_limit_of_zero_ends_at_once(interrupts: Interrupts) -> None:
    with pytest.raises(TimeIsUp), interrupts.time_limit(0):
        signal.pause()


def test_a_time_limit_is_shortened_and_never_extended(interrupts: Interrupts) -> None:
    def wait() -> None:
        with interrupts.time_limit(60):
            interrupts.shorten_limit(0.005)
            signal.pause()

    with pytest.raises(TimeIsUp):
        wait()
    with interrupts.time_limit(30):
        interrupts.shorten_limit(60)
        assert signal.getitimer(signal.ITIMER_REAL)[0] <= 30
    interrupts.shorten_limit(60)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
