"""What is known of a job's containers: the last observation, and which hints have come since. Pure.

Owns when an observation is out of date, and which hints spare one. Asks the engine nothing, and must not know of the store.
"""

from dataclasses import replace

from jobd.jobs.port.hints import Disconnected, Ended, Hint, SignalledExternally, Started
from jobd.jobs.port.model import ContainerFacts, Observation
from jobd.jobs.state.record import Record


class ObservedState:
    """One job's containers as they were last observed. `seen` is an observation made since the last change, or None.

    `hint_count` counts the hints: an observation during which one came is out of date already.
    """

    def __init__(self) -> None:
        self.seen: Observation | None = None
        self.hint_count = 0
        self._began: ContainerFacts | None = None
        self._died: ContainerFacts | None = None
        self._disturbed = False
        """Since the last observation the event stream was cut, or somebody else has sent a signal."""

    def take_hint(self, hint: Hint) -> None:
        """Takes a hint in: what was observed before the hint is out of date."""
        self.hint_count += 1
        self.seen = None
        match hint:
            case Started(role="worker", facts=ContainerFacts() as began):
                self._began = began
            case Ended(role="worker", facts=ContainerFacts() as died):
                self._died = died
            case Disconnected() | SignalledExternally():
                self._disturbed = True

    def keep(self, seen: Observation, hint_count_before: int) -> None:
        """Keeps an observation, unless a hint came since `hint_count_before`."""
        if self.hint_count == hint_count_before:
            self.seen = seen
            self._disturbed = False

    def started(self, worker: ContainerFacts, hint_count_before: int) -> None:
        """The engine has answered that the worker runs. The answer is as good as an observation, unless more than the start's own hint
        came since `hint_count_before`, or the engine may be stopping. An observation of a container that ends meanwhile would wait
        until the engine has taken down the container's network; a hint of the end comes before that.
        """
        own = self._began is not None and self._began.id == worker.id
        if not self._disturbed and self.hint_count - hint_count_before <= own:
            self.seen = Observation(worker, None)

    def forget(self) -> None:
        """What was observed is out of date."""
        self.seen = None

    def start_event(self, record: Record) -> ContainerFacts | None:
        """Returns what a hint said of the start of this attempt's worker."""
        return _of_worker(self._began, record)

    def pop_end_event(self, record: Record) -> ContainerFacts | None:
        """Returns, once, what a hint said of the end of this attempt's worker, with its start. None where the worker is to be
        observed: also where no hint said its start, since how long the worker ran is taken from one clock.
        """
        died, self._died = _of_worker(self._died, record), None
        began = self.start_event(record)
        return None if died is None or began is None else replace(died, started_at=began.started_at)


def _of_worker(facts: ContainerFacts | None, record: Record) -> ContainerFacts | None:
    return facts if facts is not None and facts.id == record.worker_id else None
