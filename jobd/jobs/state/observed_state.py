"""What is known of a job's containers: the last look, and what the engine's event stream has said since. Pure.

Owns when a look is out of date, which words of the stream stand for a look, and whose doing an end is. The engine's own record
decides that where it tells: an engine that was up over the container's whole life did not end it by its own end. Asks
the engine nothing, and must not know of the store.
"""

from dataclasses import replace

from jobd.jobs.orchestrator import ContainerFacts, Hint, Observation
from jobd.jobs.state.record import Record

OOM_EXIT_CODE = 137
UNKNOWN_EXIT_CODE = 255
"""What containerd gives for a process that ended when nobody was there to see how; a worker's own may be the same."""
NOT_STARTED_EXIT_CODE = 128
"""The engine could not start the container, for whatever reason but the command itself."""

MAX_BLIND_POLLS = 6
"""With the pauses between them these take some ten seconds."""


class ObservedState:
    """One job's containers as they were last seen. `seen` is a look taken since the last change, or None.

    `heard` counts the hints: a look during which one came is out of date already.
    """

    def __init__(self) -> None:
        self.seen: Observation | None = None
        self.heard = 0
        self._began: ContainerFacts | None = None
        self._died: ContainerFacts | None = None
        self._engine_away = False
        self._blind_polls: int | None = None
        """While the event stream is away: how often that has held a look up."""
        self._external_signal_seen = False
        """The worker, or the sidecar that loads its inputs, was sent a signal that jobd did not order. With the engine away as well: the engine is being stopped."""
        self._ended_with_engine = False

    def hear(self, hint: Hint, record: Record) -> None:
        """Takes a hint in: what was seen before it is out of date."""
        self.heard += 1
        self.seen = None
        if hint.action == "disconnected":
            self._engine_away = True
            self._blind_polls = self._blind_polls or 0
        elif hint.action == "connected":
            self._blind_polls = None
        elif hint.action == "kill" and (hint.role == "worker" or record.phase == "inputs"):
            self._external_signal_seen = not record.end_ordered
        if hint.role == "worker" and hint.facts is not None:
            if hint.action == "start":
                self._began = hint.facts
            elif hint.action == "die":
                self._died = hint.facts

    def looked(self, seen: Observation, heard_before: int) -> None:
        """Keeps a look, unless something was heard since `heard_before`."""
        if self.heard == heard_before:
            self.seen = seen

    def forget(self) -> None:
        """What was seen is out of date."""
        self.seen = None

    def engine_left(self) -> None:
        """The engine did not answer."""
        self._engine_away = True

    def beginning(self, record: Record) -> ContainerFacts | None:
        """Returns what the stream said of the start of this attempt's worker."""
        return self._told(self._began, record)

    def pop_end_event(self, record: Record) -> ContainerFacts | None:
        """Returns, once, what the stream said of the end of this attempt's worker, with its start, where no look is needed to believe
        it. An end whose start was not heard is looked at: how long the worker ran is by one clock.
        """
        died, self._died = self._told(self._died, record), None
        began = self.beginning(record)
        return None if died is None or began is None else replace(died, started_at=began.started_at)

    def needs_record(self, watched: ContainerFacts | None) -> bool:
        """True for an end that may be the engine's doing, as far as was heard: its record of its own start is to be asked."""
        if watched is None or not watched.ended:
            return False
        return (
            self._external_signal_seen
            or self._engine_away
            or self._blind_polls is not None
            or _is_killed(watched)
        )

    def stopped_with_engine(
        self, watched: ContainerFacts | None, *, leaving: bool = False, was_up: bool | None = None
    ) -> bool:
        """True where the container's end, or that it could not be started, is the engine's doing: the engine was away meanwhile,
        and the container did not end by itself. `leaving`: the engine still answers, and is on its way out. `was_up`: what its
        record says of the container's whole life; None: nothing, and what was heard decides.
        """
        if watched is None or not watched.ended:
            if watched is not None and watched.state == "running" and self._engine_away and not leaving:
                # It has outlived that; a strike alone may still be its end.
                self._engine_away = self._external_signal_seen = False
            return self._engine_away and watched is not None and watched.exit_code == NOT_STARTED_EXIT_CODE
        if was_up is None:
            return self._engine_away and (self._external_signal_seen or _is_killed(watched))
        return not was_up and (self._external_signal_seen or self._ended_with_engine or _is_killed(watched))

    def awaiting_event_stream(self, watched: ContainerFacts | None) -> bool:
        """True for an end that is seen while the event stream is away: whose doing it was is still to be heard. After so many
        looks the stream is not waited for any longer.
        """
        if (
            self._blind_polls is None
            or watched is None
            or not watched.ended
            or self._blind_polls >= MAX_BLIND_POLLS
        ):
            return False
        self._blind_polls += 1
        return True

    def is_in_doubt(self, watched: ContainerFacts | None) -> bool:
        """True after a signal that nobody here sent, where what is seen now depends on whether the engine is going down."""
        if not self._external_signal_seen or watched is None:
            return False
        return watched.state == "running" if self._engine_away else watched.ended

    def ended_with_engine(self) -> None:
        """An end was seen while the engine took no new connections: if it was started again, that end came with its own."""
        self._ended_with_engine = True

    def _told(self, told: ContainerFacts | None, record: Record) -> ContainerFacts | None:
        """Returns what an event said of this attempt's worker. A 137 needs a look: it may be the kernel's doing; so does a 255."""
        if told is None or told.id != record.worker_id or self._external_signal_seen:
            return None
        if told.exit_code in (OOM_EXIT_CODE, UNKNOWN_EXIT_CODE):
            return None
        return told


def _is_killed(watched: ContainerFacts) -> bool:
    return watched.exit_code in (OOM_EXIT_CODE, UNKNOWN_EXIT_CODE) and not watched.oom_killed
