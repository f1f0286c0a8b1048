"""What an engine tells by itself: a reason to observe a job sooner than its timer would. A closed union.

Every implementation sends every kind. A hint may be lost or repeated, but for what `Disconnected` and `Connected` say.
"""

from dataclasses import dataclass

from jobd.jobs.port.model import ContainerFacts, Role


@dataclass(frozen=True, slots=True)
class Connected:
    """The stream of hints was connected, and what was missed has been sent."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The stream of hints has ended, or could not be connected."""


@dataclass(frozen=True, slots=True)
class Started:
    """A container has started. `facts`: where the engine said enough with it to spare an observation."""

    uid: str
    role: Role
    facts: ContainerFacts | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A container has ended. `facts`: where the engine said enough with it to spare an observation; without `started_at`."""

    uid: str
    role: Role
    facts: ContainerFacts | None = None


@dataclass(frozen=True, slots=True)
class SignalledExternally:
    """A container was sent a signal that was not sent through this port: by a person, or by the engine that is being stopped."""

    uid: str
    role: Role


@dataclass(frozen=True, slots=True)
class Changed:
    """Something else has changed: of this job, or, without `uid`, perhaps of any."""

    uid: str | None = None
    role: Role | None = None


Hint = Connected | Disconnected | Started | Ended | SignalledExternally | Changed
