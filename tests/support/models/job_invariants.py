"""The invariants of the rule machine of one job: after every step, whatever has happened."""

from collections.abc import Iterator
from datetime import datetime

from hypothesis.stateful import invariant

from jobd.jobs.port.model import (
    Observation,
)
from jobd.jobs.record.awaited_times import AWAITED
from jobd.jobs.record.parts import Part
from jobd.jobs.record.states import CollectingOutputs
from jobd.wire import event
from jobd.wire.artifact import after_job
from tests.support.models.job_turns import JobTurns

RETRIES = 2


class JobInvariants(JobTurns):
    """Checks the record, the events and the engine after every step."""

    @invariant()
    def times_are_in_order(self) -> None:
        """In the record, in the view, and over all attempts, after any clock steps."""
        if not hasattr(self, "record"):
            return
        record = self.record
        times: list[datetime | None] = [record.created_at]
        for attempt in record.earlier:
            times += [attempt.started_at, attempt.exited_at]
        times += [record.admitted_at, record.started_at, record.exited_at, record.finished_at]
        known = [time for time in times if time is not None]
        assert known == sorted(known), "created <= admitted <= started <= exited <= finished"

    @invariant()
    def each_event_is_in_order(self) -> None:
        types = [kind for kind, _, _ in getattr(self, "events", [])]
        assert types.count(event.START) <= 1
        assert types.count(event.RETRY) <= RETRIES
        assert types.count(event.EXIT) <= 1
        assert types.count(event.COMPLETE) <= 1
        if event.COMPLETE in types:
            assert types[-1] == event.COMPLETE
            assert event.EXIT in types
        late = after_job(self.spec.artifacts) if types else frozenset()
        for index, (kind, artifact_id, _) in enumerate(getattr(self, "events", [])):
            if kind == event.ARTIFACT and artifact_id in late:
                assert event.EXIT in types[:index]
        ids = getattr(self, "event_ids", [])
        assert len(ids) == len(set(ids))

    @invariant()
    def numbers_have_no_gap(self) -> None:
        numbers = [sequence for _, _, sequence in getattr(self, "events", []) if sequence is not None]
        assert numbers == list(range(1, len(numbers) + 1))

    @invariant()
    def a_worker_runs_once_at_most(self) -> None:
        if hasattr(self, "engine"):
            assert all(count <= 1 for count in self.engine.runs.values())
            assert max(self.engine.runs, default=1) <= 1 + self.spec.retries
            assert self.engine.has_worker or self.engine.worker is None

    @invariant()
    def repeated_outputs_keep_the_earlier_exit_code(self) -> None:
        if hasattr(self, "record") and self.record.takes is not None:
            assert (self.record.exit_code, self.record.started_at) == (0, None)
            assert not self.record.ended or self.record.reason in (
                None,
                "output-failed",
                "output-too-large",
                "cancelled",
            )
            told = [kind for kind, _, _ in self.events if kind in (event.START, event.RETRY)]
            assert told == []

    @invariant()
    def complete_and_the_final_status_match(self) -> None:
        if hasattr(self, "record"):
            assert self.record.ended == any(kind == event.COMPLETE for kind, _, _ in self.events)
            assert self.record.ended == (self.record.phase == "done")
            assert self.record.status != "completed" or (
                self.record.exit_code == 0 and self.record.reason is None
            )

    @invariant()
    def an_unreadable_report_fails_the_job(self) -> None:
        if hasattr(self, "record") and self.record.attempt.number in self.unread_in:
            assert self.record.status != "completed"

    @invariant()
    def a_completed_job_has_its_outputs(self) -> None:
        if hasattr(self, "record") and self.record.status == "completed":
            wanted = {output.path for output in self.spec.outputs}
            there = {
                path for path, state in self.record.outputs.items() if state.status in ("kept", "present")
            }
            assert there == wanted
            assert not isinstance(self.record.state, CollectingOutputs)

    @invariant()
    def a_removed_job_has_no_leftovers(self) -> None:
        if hasattr(self, "record") and self.record.removal is not None:
            assert self.record.ended
            assert self.engine.look() == Observation(None, None)

    @invariant()
    def a_job_remembers_its_local_files(self) -> None:
        """A retry needs them again."""
        if hasattr(self, "record"):
            assert self.record.has_spool == self.had_files


def awaited(part: Part, path: str = "") -> Iterator[tuple[str, datetime]]:
    """Yields the awaited times in a part and the parts in it, each with its path."""
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if isinstance(value, Part):
            yield from awaited(value, f"{path}{name}.")
        elif isinstance(value, datetime) and name in AWAITED:
            yield path + name, value
