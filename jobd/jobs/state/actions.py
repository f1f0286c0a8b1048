"""The actions of a supervisor. Pure data; `next_action.py` decides which action is next."""

from dataclasses import dataclass
from datetime import datetime

from jobd.jobs.port.model import Role


@dataclass(frozen=True, slots=True)
class Admit:
    """Wait for a place in the queue."""


@dataclass(frozen=True, slots=True)
class Prepare:
    """Pull the image unless that is done, and create the containers, after removing those of an earlier try of the same phase."""


@dataclass(frozen=True, slots=True)
class StartSidecar:
    """Start the sidecar and send its order."""


@dataclass(frozen=True, slots=True)
class StartWorker:
    """Start the worker."""


@dataclass(frozen=True, slots=True)
class RemoveUnstarted:
    """Remove a container whose start was requested, unless the container has run."""

    role: Role


@dataclass(frozen=True, slots=True)
class CollectOutputs:
    """Check the outputs that the client fetches, and keep those that the spec keeps."""


@dataclass(frozen=True, slots=True)
class Observe:
    """Observe the containers."""


@dataclass(frozen=True, slots=True)
class TellSidecar:
    """Notify the sidecar that the worker has ended."""

    succeeded: bool


@dataclass(frozen=True, slots=True)
class DrainLogs:
    """Read the ended worker's log to its end."""


@dataclass(frozen=True, slots=True)
class FreezeWorker:
    """Freeze the worker."""


@dataclass(frozen=True, slots=True)
class ThawWorker:
    """Thaw the worker."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Send a stopping signal to a container."""

    role: Role
    kill: bool


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove containers and volume."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for a change, or until `until`."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class Done:
    """The job asks for no action now."""


Action = (
    Admit
    | Prepare
    | StartSidecar
    | StartWorker
    | RemoveUnstarted
    | Observe
    | TellSidecar
    | CollectOutputs
    | DrainLogs
    | FreezeWorker
    | ThawWorker
    | Signal
    | Remove
    | Wait
    | Done
)
