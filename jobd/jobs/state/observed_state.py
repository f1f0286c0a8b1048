"""The observed state of a job's containers: the last observation, and the hints since. Pure.

Owns when an observation is out of date, and which hints replace an observation. Calls no engine. Must not know of the store.
"""

from dataclasses import replace

from jobd.jobs.port.hints import Disconnected, Ended, Hint, SignalledExternally, Started
from jobd.jobs.port.model import ContainerFacts, Observation
from jobd.jobs.record.record import Record

OBSERVE_INTERVAL_S, OBSERVATIONS_A_SECOND = 2.0, 100


def observe_interval_s(running: int, turn: float) -> float:
    """Returns how long jobd relies on hints alone before it observes a running job again: with many jobs longer, so that the engine has time
    for anything else. `turn`: from 0 to 1, another one each time, so that not all jobs are observed at once.
    """
    return max(OBSERVE_INTERVAL_S, running / OBSERVATIONS_A_SECOND * (0.75 + turn / 2))


class ObservedState:
    """The last observation of one job's containers. `observation`: made since the last change, or None.

    `hint_count` counts the hints: a hint during an observation makes that observation out of date.
    """

    __slots__ = ("_began", "_died", "_disturbed", "end_heard", "hint_count", "observation", "pending")

    def __init__(self) -> None:
        self.observation: Observation | None = None
        self.pending = ""
        """Why the worker's start takes its time, as last observed."""
        self.hint_count = 0
        self.end_heard = False
        """True if the last end came as a hint, and jobd has missed no hint and no signal since the last observation before it."""
        self._began: ContainerFacts | None = None
        self._died: ContainerFacts | None = None
        self._disturbed = False
        """Since the last observation the event stream was disconnected, or an external signal was sent."""

    def take_hint(self, hint: Hint) -> None:
        """Handles a hint: an observation from before the hint is out of date."""
        self.hint_count += 1
        self.observation = None
        match hint:
            case Started(role="worker", facts=ContainerFacts() as began):
                self._began = began
            case Ended(role="worker", facts=ContainerFacts() as died):
                self._died = died
            case Disconnected() | SignalledExternally():
                self._disturbed = True

    def keep(self, observation: Observation, hint_count_before: int) -> None:
        """Keeps an observation, unless a hint came since `hint_count_before`."""
        self.pending = observation.worker.pending if observation.worker else ""
        if self.hint_count == hint_count_before:
            self.observation = observation
            self._disturbed = False

    def started(self, worker: ContainerFacts, hint_count_before: int) -> None:
        """The engine has answered that the worker runs. The answer replaces an observation, unless more than the start's own hint came
        since `hint_count_before`, or the engine may be stopping. Observing a container that ends meanwhile would block until the
        engine has removed the container's network; the hint of the end comes earlier.
        """
        own = self._began is not None and self._began.id == worker.id
        if not self._disturbed and self.hint_count - hint_count_before <= own:
            self.observation = Observation(worker, None)

    def forget(self) -> None:
        """Marks the observation as out of date."""
        self.observation = None
        self.end_heard = False

    def start_event(self, record: Record) -> ContainerFacts | None:
        """Returns the facts of a hint of this attempt's worker's start."""
        return _of_worker(self._began, record)

    def pop_end_event(self, record: Record) -> ContainerFacts | None:
        """Returns, once, the facts of a hint of this attempt's worker's end, with its start. None if jobd must observe the worker:
        also if no hint gave the start, since both times of a run must come from one clock.
        """
        died, self._died = _of_worker(self._died, record), None
        began = self.start_event(record)
        if died is None or began is None:
            self.end_heard = False
            return None
        self.end_heard = not self._disturbed
        return replace(died, started_at=began.started_at)


def _of_worker(facts: ContainerFacts | None, record: Record) -> ContainerFacts | None:
    return facts if facts is not None and facts.id == record.worker_id else None
