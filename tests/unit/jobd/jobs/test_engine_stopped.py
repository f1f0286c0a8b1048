"""An end that came with the engine's own is lost, unless it was ordered here."""

from collections.abc import Callable
from typing import Any

import pytest

from jobd.jobs import facts as f
from jobd.jobs.orchestrator import Observation


@pytest.mark.parametrize("code", [0, 137, 143])
def test_an_end_that_nobody_here_ordered_is_lost(job: Callable[..., Any], code: int) -> None:
    a = job().to("running")
    a.tell(f.Observed(Observation(a.exited(code), None), engine_stopped=True), f.LogsDrained())
    assert (a.record.status, a.record.reason, a.record.exit_code) == ("failed", "lost", None)
    assert a.data("exit")["exitCode"] == -1


def test_one_that_was_wished_is_what_was_wished(job: Callable[..., Any]) -> None:
    a = job().to("running").tell(f.CancelWished(by="me", grace_s=1.0, delete=False))
    a.tell(f.Observed(Observation(a.exited(143), None), engine_stopped=True), f.LogsDrained())
    assert (a.record.status, a.record.exit_code) == ("cancelled", 143)


def test_one_that_was_late_is_late(job: Callable[..., Any]) -> None:
    a = job(timeout_seconds=5).to("running").later(60).tell(f.TimePassed())
    a.tell(f.Observed(Observation(a.exited(143), None), engine_stopped=True), f.LogsDrained())
    assert (a.record.reason, a.record.exit_code) == ("timeout", 143)
