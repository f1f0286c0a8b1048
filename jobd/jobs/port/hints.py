"""The events of an engine: reasons to observe a job sooner than its timer would. A closed union.

Every implementation sends every kind. A hint may be lost or repeated, except as `Disconnected` and `Connected` say.
"""

from dataclasses import dataclass

from jobd.jobs.port.model import ContainerFacts, Role


@dataclass(frozen=True, slots=True)
class Connected:
    """The stream of hints is connected, and missed hints have been sent."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The stream of hints has ended, or could not be connected."""


@dataclass(frozen=True, slots=True)
class Started:
    """A container has started. `facts`: set if the event suffices without an observation."""

    uid: str
    role: Role
    facts: ContainerFacts | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A container has ended. `facts`: set if the event suffices without an observation; without `started_at`."""

    uid: str
    role: Role
    facts: ContainerFacts | None = None


@dataclass(frozen=True, slots=True)
class SignalledExternally:
    """A container got a signal that was not sent through this port: from a person, or from an engine that is being stopped."""

    uid: str
    role: Role


@dataclass(frozen=True, slots=True)
class Changed:
    """Something else has changed: in this job, or, without `uid`, in any job."""

    uid: str | None = None
    role: Role | None = None


Hint = Connected | Disconnected | Started | Ended | SignalledExternally | Changed
