"""What a supervisor can be asked to do next for its job. Pure data; `next_action.py` decides which one."""

from dataclasses import dataclass
from datetime import datetime

from jobd.jobs.port.model import Role


@dataclass(frozen=True, slots=True)
class Admit:
    """Wait for a place in the queue."""


@dataclass(frozen=True, slots=True)
class Pull:
    """Make the image local."""


@dataclass(frozen=True, slots=True)
class Create:
    """Make the containers; what an earlier try of the same phase has left is removed first."""


@dataclass(frozen=True, slots=True)
class StartSidecar:
    """Start the sidecar and hand it its order."""


@dataclass(frozen=True, slots=True)
class StartWorker:
    """Start the worker."""


@dataclass(frozen=True, slots=True)
class RemoveUnstarted:
    """Remove a container whose start was asked for, unless it has run."""

    role: Role


@dataclass(frozen=True, slots=True)
class CollectOutputs:
    """Look for the outputs that the client fetches, and keep them where that is asked for."""


@dataclass(frozen=True, slots=True)
class Observe:
    """Look at the containers."""


@dataclass(frozen=True, slots=True)
class TellSidecar:
    """Send the signal that the worker has ended."""

    succeeded: bool


@dataclass(frozen=True, slots=True)
class DrainLogs:
    """Read the ended worker's log to its end."""


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
    """Nothing to do until something happens, or until `until`."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to do for this job, for now."""


Action = (
    Admit
    | Pull
    | Create
    | StartSidecar
    | StartWorker
    | RemoveUnstarted
    | Observe
    | TellSidecar
    | CollectOutputs
    | DrainLogs
    | Signal
    | Remove
    | Wait
    | Done
)
