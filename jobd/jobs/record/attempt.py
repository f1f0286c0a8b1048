"""One attempt of a job: its state, and what every state has. Pure data.

A repeated attempt is a new value; `record.py` has what a job keeps over its attempts.
"""

import msgspec

from jobd.jobs.record.parts import ArtifactState, EngineErrors, LogReading, Part
from jobd.jobs.record.states import State


class Attempt(Part, frozen=True, kw_only=True):
    """One attempt of a job: its state, and the fields of every state. The next attempt begins with none of these."""

    number: int = 1
    state: State
    artifacts: dict[str, ArtifactState] = msgspec.field(default_factory=dict)
    engine_errors: EngineErrors | None = None
    reading: LogReading = LogReading()
