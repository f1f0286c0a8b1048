"""Whether the engine's own stop ended a container: what the event stream and the engine's answers show of that. Pure.

Owns the rules. Where the engine's record of its own start tells, that record decides: an engine that was up over the container's whole
life did not end it by its own stop. An engine that is stopped sends its containers a signal first; an engine that is killed leaves
containers whose end nobody saw, for which containerd gives 255, or 137.
"""

from jobd.docker.mapping.inspection import KILLED, NOT_STARTED, UNSEEN
from jobd.jobs.port.model import ContainerFacts, ContainerState, EndCause

MAX_BLIND_POLLS = 6
"""With the pauses between them these take some ten seconds."""


class StopEvidence:
    """What is known of one container, of whatever attempt."""

    def __init__(self) -> None:
        self._engine_away = False
        self._blind_polls: int | None = None
        """While the event stream is away: how often that has put off a decision."""
        self._external_signal_seen = False
        """The container was sent a signal that jobd did not order. With the engine away as well: the engine is being stopped."""
        self._ended_with_engine = False

    def stream_lost(self) -> None:
        """The event stream has ended, or could not be opened."""
        self._engine_away = True
        self._blind_polls = self._blind_polls or 0

    def stream_back(self) -> None:
        """The event stream is connected, and what was missed has been read."""
        self._blind_polls = None

    def signalled_externally(self) -> None:
        """The container was sent a signal that jobd did not order."""
        self._external_signal_seen = True

    def engine_left(self) -> None:
        """The engine did not answer."""
        self._engine_away = True

    def ended_with_engine(self) -> None:
        """An end was seen while the engine took no new connections: if it was started again, that end came with its own."""
        self._ended_with_engine = True

    def explains(self, event: ContainerFacts) -> bool:
        """True where an end event alone tells what ended the container."""
        return event.cause is not EndCause.UNKNOWN and not self._external_signal_seen

    def needs_record(self, seen: ContainerFacts) -> bool:
        """True for an end that may be the engine's doing, as far as is known: its record of its own start is to be read."""
        return seen.ended and (
            self._external_signal_seen
            or self._engine_away
            or self._blind_polls is not None
            or _is_killed(seen)
        )

    def stopped_with_engine(
        self, seen: ContainerFacts, *, leaving: bool = False, was_up: bool | None = None
    ) -> bool:
        """True where the container's end, or its failed start, is the engine's doing: the engine was away meanwhile, and the
        container did not end by itself. `leaving`: the engine still answers, and is being stopped. `was_up`: what its record says of
        the container's whole life; None: nothing, and what was seen decides.
        """
        if not seen.ended:
            if seen.state is ContainerState.RUNNING and self._engine_away and not leaving:
                # The container has outlived that; a signal alone may still be its end.
                self._engine_away = self._external_signal_seen = False
            return self._engine_away and seen.exit_code == NOT_STARTED
        if was_up is None:
            return self._engine_away and (self._external_signal_seen or _is_killed(seen))
        return not was_up and (self._external_signal_seen or self._ended_with_engine or _is_killed(seen))

    def awaiting_event_stream(self, seen: ContainerFacts) -> bool:
        """True for an end that is seen while the event stream is away: the cause is unknown until the stream reconnects. After
        `MAX_BLIND_POLLS` the stream is not waited for any longer.
        """
        if self._blind_polls is None or not seen.ended or self._blind_polls >= MAX_BLIND_POLLS:
            return False
        self._blind_polls += 1
        return True

    def is_in_doubt(self, seen: ContainerFacts) -> bool:
        """True after an external signal, where what is seen now depends on whether the engine is being stopped."""
        if not self._external_signal_seen:
            return False
        return seen.state is ContainerState.RUNNING if self._engine_away else seen.ended


def _is_killed(seen: ContainerFacts) -> bool:
    return seen.exit_code in (KILLED, UNSEEN) and seen.cause is not EndCause.OUT_OF_MEMORY
