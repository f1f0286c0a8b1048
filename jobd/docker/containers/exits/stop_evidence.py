"""Whether the engine's own stop ended a container, from the event stream and the engine's answers. Pure.

Owns the rules. If the engine's start time is known, that decides: an engine that was up over the container's whole life did not
end the container by its own stop. An engine that stops sends its containers a signal first; after an engine was killed, containerd
reports exit code 255 or 137 for containers whose end was not observed, and the next engine process sends a signal to those that run.
"""

from jobd.docker.mapping.inspection import KILLED, NOT_STARTED, UNSEEN
from jobd.jobs.port.model import ContainerFacts, ContainerState, EndCause

MAX_BLIND_POLLS = 6
"""With the pauses between them these polls take some ten seconds."""


class StopEvidence:
    """The evidence about one container, over all attempts."""

    def __init__(self) -> None:
        self._engine_away = False
        self._blind_polls: int | None = None
        """How often a decision was postponed while the event stream is lost; None: the stream is connected."""
        self._external_signal_seen = False
        """The container got a signal that jobd did not request. If the engine is unavailable as well, the engine is stopping."""
        self._ended_with_engine = False
        self._watched = False
        """This process of jobd has seen the container start or run. Otherwise the events about its end were missed."""
        self.network_lost = False
        """The job's network sandbox has ended: an observation of the container's end says so."""

    def seen_running(self) -> None:
        """This process of jobd sees that the container starts or runs."""
        self._watched = True

    def stream_lost(self) -> None:
        """The event stream ended, or could not be opened."""
        self._engine_away = True
        self._blind_polls = self._blind_polls or 0

    def stream_back(self) -> None:
        """The event stream is connected, and the missed events are read."""
        self._blind_polls = None

    def signalled_externally(self) -> None:
        """The container got a signal that jobd did not request."""
        self._external_signal_seen = True

    def engine_left(self) -> None:
        """The engine did not answer."""
        self._engine_away = True

    def ended_with_engine(self) -> None:
        """The container ended while the engine accepted no new connections: if the engine restarted, its stop ended the container."""
        self._ended_with_engine = True

    def explains(self, event: ContainerFacts) -> bool:
        """True if the `die` event alone shows what ended the container."""
        return (
            event.cause is not EndCause.UNKNOWN and not self._external_signal_seen and not self.network_lost
        )

    def needs_record(self, seen: ContainerFacts) -> bool:
        """True if the engine's stop may have ended the container: the engine's start time is needed."""
        return seen.ended and (
            self._external_signal_seen
            or self._engine_away
            or self._blind_polls is not None
            or (not self._watched and seen.cause is not EndCause.OUT_OF_MEMORY)
            or _is_killed(seen)
        )

    def stopped_with_engine(
        self, seen: ContainerFacts, *, leaving: bool = False, was_up: bool | None = None
    ) -> bool:
        """True if the engine's stop caused the container's end or its failed start. `leaving`: the engine still answers, and is
        stopping. `was_up`: whether the engine was up over the container's whole life; None: unknown, and the events and failed
        calls decide.
        """
        if not seen.ended:
            if seen.state is ContainerState.RUNNING and self._engine_away and not leaving:
                # The container survived the engine's stop; a signal alone may still end the container.
                self._engine_away = self._external_signal_seen = False
            return self._engine_away and seen.exit_code == NOT_STARTED
        if was_up is None:
            return self._engine_away and (self._external_signal_seen or _is_killed(seen))
        return not was_up and (self._external_signal_seen or self._ended_with_engine or _is_killed(seen))

    def awaiting_event_stream(self, seen: ContainerFacts) -> bool:
        """True if the container ended while the event stream is lost: the cause is unknown until the stream reconnects. After
        `MAX_BLIND_POLLS` calls returns False.
        """
        if self._blind_polls is None or not seen.ended or self._blind_polls >= MAX_BLIND_POLLS:
            return False
        self._blind_polls += 1
        return True

    def is_in_doubt(self, seen: ContainerFacts) -> bool:
        """True after an external signal, if the facts have another meaning while the engine is stopping."""
        if not self._external_signal_seen:
            return False
        return seen.state is ContainerState.RUNNING if self._engine_away else seen.ended


def _is_killed(seen: ContainerFacts) -> bool:
    return seen.exit_code in (KILLED, UNSEEN) and seen.cause is not EndCause.OUT_OF_MEMORY
