"""A job's record: its first state, and its stored form over versions."""

import re
from datetime import timedelta

import msgspec
import pytest

from jobd.jobs.record.new_record import new_record
from jobd.jobs.record.parts import ArtifactState, Failure, Image, Setup, WorkerContainer
from jobd.jobs.record.record import Record
from jobd.jobs.record.record_form import decode_record, encode_record
from jobd.jobs.record.states import Done, LoadingInputs
from jobd.jobs.state.event_drafts import artifact_type
from jobd.jobs.state.run_times import seconds_between
from jobd.jobs.state.transitions.outcome import has_outputs, purged
from jobd.wire.artifact import Read, Write
from jobd.wire.job import JobSpec
from tests.support.fakes.clock import FakeClock

NOW = FakeClock().now()
SPEC = JobSpec(
    id="a",
    image="b",
    artifacts=[Write(id="in", source="x", out="f"), Read(id="out", source="f", depends="job", optional=True)],
)


def made() -> Record:
    return new_record(SPEC, now=NOW, owner="1000", digest="d", has_spool=True)


def test_a_new_record_waits_in_the_queue_with_its_artifacts_pending() -> None:
    record = made()
    assert (record.id, record.owner, record.spec_digest, record.has_spool) == ("a", "1000", "d", True)
    assert (record.status, record.phase, record.cancel, record.attempt.number) == (
        "accepted",
        "queued",
        None,
        1,
    )
    assert record.attempt.artifacts == {"in": ArtifactState(), "out": ArtifactState(optional=True)}
    assert not record.ended
    assert record.removal is None


def test_uids_sort_by_time_and_tokens_cannot_be_guessed() -> None:
    earlier, other = made(), made()
    later = new_record(SPEC, now=NOW + timedelta(milliseconds=1), owner=None, digest="", has_spool=False)
    assert re.fullmatch(r"[0-9a-f]{24}", earlier.uid)
    assert earlier.uid != other.uid
    assert max(earlier.uid, other.uid) < later.uid
    assert earlier.token != other.token
    assert len(earlier.token) >= 32


def test_a_record_decodes_as_it_was_encoded() -> None:
    record = made()
    assert decode_record(encode_record(record)) == record


def test_a_record_of_a_newer_version_of_the_same_form_is_read() -> None:
    tree = msgspec.json.decode(encode_record(made()))
    assert tree["form"] == 2
    assert decode_record(msgspec.json.encode({**tree, "retriesLeft": 3})).id == "a"


def test_a_record_with_the_images_user_and_the_workers_ids_is_read() -> None:
    """Older versions of form 2 store these; the engine's adapter now settles ownership."""
    setup = Setup(admitted_at=NOW, image=Image(id="sha256:1"), worker=WorkerContainer(id="w"), sidecar_id="s")
    record = made().with_state(LoadingInputs(since=NOW, setup=setup))
    tree = msgspec.json.decode(encode_record(record))
    tree["attempt"]["state"]["setup"]["image"]["user"] = "app"
    tree["attempt"]["state"]["setup"]["worker"] |= {"uid": 1000, "gid": 2000}
    assert decode_record(msgspec.json.encode(tree)) == record


def test_a_record_of_a_newer_form_is_refused() -> None:
    tree = msgspec.json.decode(encode_record(made()))
    with pytest.raises(msgspec.DecodeError):
        decode_record(msgspec.json.encode({**tree, "form": 3}))


@pytest.mark.parametrize(
    ("done", "status", "reason"),
    [
        (Done(finished_at=NOW), "completed", None),
        (Done(finished_at=NOW, failure=Failure(reason="lost")), "failed", "lost"),
        (
            Done(finished_at=NOW, failure=Failure(reason="cancelled"), cancelled=True),
            "cancelled",
            "cancelled",
        ),
    ],
)
def test_an_end_has_its_status(done: Done, status: str, reason: str | None) -> None:
    record = made().with_state(done)
    assert (record.ended, record.status, record.reason, record.phase) == (True, status, reason, "done")


def test_a_purged_job_has_ended_and_asks_for_no_action() -> None:
    record = purged(made(), reason="deleted")
    assert (record.status, record.reason, record.is_deleted) == ("cancelled", "deleted", True)
    assert record.removal is not None
    over = made().with_state(Done(finished_at=NOW))
    assert (purged(over).status, purged(over).is_deleted) == ("completed", True)


def test_the_outputs_and_types_of_a_spec() -> None:
    assert has_outputs(SPEC)
    assert not has_outputs(JobSpec(id="a", image="b", artifacts=SPEC.artifacts[:1]))
    assert artifact_type(SPEC, "in") == "write"
    assert artifact_type(SPEC, "nope") is None


def test_a_duration_is_never_negative_and_unknown_without_both_times() -> None:
    later = NOW + timedelta(seconds=1.5)
    assert seconds_between(NOW, later) == 1.5
    assert seconds_between(later, NOW) == 0.0
    assert seconds_between(None, later) is None
    assert seconds_between(NOW, None) is None
