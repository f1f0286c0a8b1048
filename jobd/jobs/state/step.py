"""The result of one fact. Pure data."""

from dataclasses import dataclass, replace

from jobd.jobs.record.record import Record
from jobd.jobs.state.event_drafts import Draft


@dataclass(frozen=True, slots=True)
class Step:
    """The next record and the events to store with it, in order."""

    record: Record
    drafts: tuple[Draft, ...] = ()

    def then(self, later: "Step") -> "Step":
        """Returns both steps combined: the later record, all events."""
        return replace(later, drafts=self.drafts + later.drafts)
