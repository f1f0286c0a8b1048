"""jobd with failpoints, at which the process dies as by kill -9, and with a wall clock that tests can set.

    JOBD_FAILPOINT=name[:count] JOBD_FAILPOINT_CLOCK=file python -m tests.support.instrumented.failpoints [flags of jobd]

`JOBD_FAILPOINT` ends the process the count-th time that the process reaches the named point. `JOBD_FAILPOINT_CLOCK` names a file with
the wall clock's offset in seconds, which is read each time. jobd logs each reached point at debug level. Owns the names of all points,
and puts them around the calls of jobd's outer parts; must not change a call's behaviour.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from jobd.__main__ import main
from jobd.clock import SystemClock
from jobd.docker.orchestrator import DockerOrchestrator
from jobd.events.delivery.policies.response_policy import Answer
from jobd.events.http.sender import Sender
from jobd.jobs.record.parts import Started
from jobd.jobs.record.record_form import decode_record
from jobd.metrics.metrics import Metrics
from jobd.store.store import Store
from jobd.store.tables.rows import Transition

T = TypeVar("T")

COMMITS = (
    "accepted",
    "pulling",
    "image",
    "inputs",
    "running",
    "start-intended",
    "started",
    "log",
    "worker-over",
    "outputs",
    "done",
    "cancel-request",
    "stop-sent",
    "cleaned",
)
"""The names of commits of a job's record, by the record's latest stage."""
PAUSE_COMMITS = ("freezing", "frozen", "thawing", "thawed")
WRITES = ("hide", "settle")
ENGINE = (
    "prepare",
    "start_inputs",
    "start_worker",
    "observe",
    "signal",
    "notify_worker_ended",
    "remove",
    "probe",
    "refs",
)
PAUSE_ENGINE = ("freeze_worker", "thaw_worker")
ENGINE_CALLS = ("network-create", "volume-create", "create", "start", "kill", "destroy", "volume-remove")
"""The single requests of these calls that change the engine; ambiguous starts have their own tests."""

POINTS = (
    *(f"{when}-commit:{name}" for name in (*COMMITS, *WRITES) for when in ("before", "after")),
    *(f"{when}-engine:{name}" for name in ENGINE for when in ("before", "after")),
    *(f"after-call:{name}" for name in ENGINE_CALLS),
    "before-send:event",
    "after-send:event",
)
PAUSE_POINTS = (
    *(f"{when}-commit:{name}" for name in PAUSE_COMMITS for when in ("before", "after")),
    *(f"{when}-engine:{name}" for name in PAUSE_ENGINE for when in ("before", "after")),
)
"""The points that only a job reaches that is paused while it runs."""

log = logging.getLogger(__name__)


class ClockThatIsOff(SystemClock):
    """The system's clocks; the wall clock has the offset in `file`, in seconds."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        """Returns the system's time with the offset."""
        return super().now() + timedelta(seconds=self._off_s())

    def offset(self) -> float:
        """Returns the system's offset with the shift."""
        return super().offset() + self._off_s()

    def _off_s(self) -> float:
        return float(self._file.read_text() or 0)


class Failpoints:
    """The points of one process, and the point that ends the process (None: no point does). Implements `jobd.composition.instrument.Instrument`."""

    def __init__(self, deadly: str | None, count: int = 1, clock_file: str = "") -> None:
        self._deadly = deadly
        self._left = count
        self._clock_file = clock_file

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Returns the failpoints of the environment variables.

        Raises:
            ValueError: there is no such point.
        """
        text, clock_file = environ.get("JOBD_FAILPOINT", ""), environ.get("JOBD_FAILPOINT_CLOCK", "")
        if not text:
            return cls(None, 1, clock_file)
        name, _, count = text.rpartition(":")
        if not (count.isascii() and count.isdecimal()):
            name, count = text, "1"
        if name not in (*POINTS, *PAUSE_POINTS) or int(count) < 1:
            raise ValueError(f"JOBD_FAILPOINT: there is no point {text[:80]!r}")
        return cls(name, int(count), clock_file)

    def __call__(self, part: T, /) -> T:
        """Returns the part with points around its calls."""
        if isinstance(part, SystemClock) and self._clock_file:
            return cast(T, ClockThatIsOff(Path(self._clock_file)))
        if isinstance(part, Metrics):
            setattr(part, "engine_call", self._after_calls(part.engine_call))  # noqa: B010 - mypy knows a method
        elif isinstance(part, Store):
            for name in WRITES:
                self._around(part, name, lambda *_, name=name: f"commit:{name}")
            self._around(part, "commit", lambda transition: f"commit:{commit_name(transition)}")
        elif isinstance(part, DockerOrchestrator):
            for name in (*ENGINE, *PAUSE_ENGINE):
                self._around(part, name, lambda *_, name=name: f"engine:{name}")
        elif isinstance(part, Sender):
            self._around(
                part, "send", lambda *_: "send:event", when=lambda answer: (answer.status or 0) // 100 == 2
            )
            self._around_idle_connections(part)
        return part

    def reach(self, name: str) -> None:
        """Ends the process without any clean-up if this is the chosen point and count."""
        log.debug("failpoint", extra={"action": "reach", "point": name})
        if name == self._deadly:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def _around_idle_connections(self, part: Sender) -> None:
        """The same points where an event goes out at once, over a connection that is idle."""
        inner = part.try_send

        def surrounded(
            url: str, key: str | None, event_id: str, body: bytes, answered: Callable[[Answer], None]
        ) -> bool:
            def after(answer: Answer) -> None:
                if (answer.status or 0) // 100 == 2:
                    self.reach("after-send:event")
                answered(answer)

            if self._deadly == "before-send:event":
                return False  # `send`, which follows, counts the event
            return inner(url, key, event_id, body, after)

        setattr(part, "try_send", surrounded)  # noqa: B010 - mypy knows a method

    def _after_calls(self, before: Callable[[str, float, bool], None]) -> Callable[[str, float, bool], None]:
        def after(name: str, seconds: float, ok: bool) -> None:
            before(name, seconds, ok)
            if name in ENGINE_CALLS:
                self.reach(f"after-call:{name}")

        return after

    def _around(
        self,
        part: object,
        call: str,
        named: Callable[..., str],
        when: Callable[[Any], bool] = lambda _: True,
    ) -> None:
        inner: Callable[..., Coroutine[Any, Any, Any]] = getattr(part, call)

        async def surrounded(*args: Any, **kwargs: Any) -> Any:
            name = named(*args)
            self.reach(f"before-{name}")
            result = await inner(*args, **kwargs)
            if when(result):
                self.reach(f"after-{name}")
            return result

        setattr(part, call, surrounded)


def commit_name(transition: Transition) -> str:
    """Returns the commit's name in COMMITS. Pure."""
    record = decode_record(transition.job.record)
    freeze = record.worker.freeze if isinstance(record.worker, Started) else None
    stages = (
        (transition.claim_id, "accepted"),
        (bool(transition.logs), "log"),
        (record.removal is not None, "cleaned"),
        (record.ended and not record.is_deleted, "done"),
        (record.stop is not None and not record.worker_over, "stop-sent"),
        (record.cancel is not None and (record.ended or not record.worker_over), "cancel-request"),
        (record.ended, "done"),
        (record.phase == "outputs", "outputs"),
        (record.worker_over, "worker-over"),
        (freeze is not None and freeze.thaw_at is not None, "thawing"),
        (freeze is not None, "frozen" if freeze is not None and freeze.confirmed else "freezing"),
        (record.frozen_s > 0, "thawed"),
        (record.started_at is not None, "started"),
        (record.worker is not None, "start-intended"),
        (record.phase == "running", "running"),
        (record.phase == "inputs", "inputs"),
        (record.setup is not None and record.setup.image is not None, "image"),
    )
    return next((name for holds, name in stages if holds), "pulling")


if __name__ == "__main__":
    main(sys.argv[1:], instrument=Failpoints.of(os.environ))
