"""A job's record: its beginning, and that its stored form holds over versions."""

import re
from datetime import timedelta

import msgspec
import pytest

from jobd.jobs.state.record import (
    ArtifactState,
    Record,
    artifact_type,
    decode_record,
    encode_record,
    has_outputs,
    new_record,
    seconds_between,
)
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
    assert (record.status, record.phase, record.desired, record.attempt) == ("accepted", "queued", "run", 1)
    assert record.artifacts == {"in": ArtifactState(), "out": ArtifactState(optional=True)}
    assert not record.ended
    assert not record.cleaned


def test_uids_sort_by_time_and_tokens_cannot_be_guessed() -> None:
    earlier, other = made(), made()
    later = new_record(SPEC, now=NOW + timedelta(milliseconds=1), owner=None, digest="", has_spool=False)
    assert re.fullmatch(r"[0-9a-f]{24}", earlier.uid)
    assert earlier.uid != other.uid
    assert max(earlier.uid, other.uid) < later.uid
    assert earlier.token != other.token
    assert len(earlier.token) >= 32


def test_a_record_comes_back_as_it_was_stored() -> None:
    record = made()
    assert decode_record(encode_record(record)) == record


def test_a_record_of_a_newer_version_is_read_and_one_of_an_older_gets_the_defaults() -> None:
    tree = msgspec.json.decode(encode_record(made()))
    newer = decode_record(msgspec.json.encode({**tree, "retriesLeft": 3}))
    assert newer.id == "a"
    least = decode_record(b'{"uid":"u","id":"a","created_at":"2030-01-01T00:00:00Z"}')
    assert (least.status, least.phase, least.grace_s, least.artifacts) == ("accepted", "queued", 10.0, {})


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_final_status_ends_the_job(status: str) -> None:
    assert msgspec.structs.replace(made(), status=status).ended


def test_what_a_spec_has_of_outputs_and_types() -> None:
    assert has_outputs(SPEC)
    assert not has_outputs(JobSpec(id="a", image="b", artifacts=SPEC.artifacts[:1]))
    assert artifact_type(SPEC, "in") == "write"
    assert artifact_type(SPEC, "nope") is None


def test_a_span_is_never_negative_and_unknown_without_both_ends() -> None:
    later = NOW + timedelta(seconds=1.5)
    assert seconds_between(NOW, later) == 1.5
    assert seconds_between(later, NOW) == 0.0
    assert seconds_between(None, later) is None
    assert seconds_between(NOW, None) is None
