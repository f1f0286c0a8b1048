"""Outputs that the client fetches: their collection after a successful worker, and the job's end."""

import io
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.jobs.record.parts import OutputState
from jobd.jobs.run.output_collection import LOOKED_AT_BYTES, conclusion, container_path, is_file_or_folder
from jobd.jobs.state import actions, facts
from jobd.wire import report
from jobd.wire.job import JobSpec, Output

Job = Callable[..., Any]
FILE = Output(path="result.txt")
THERE = {"result.txt": OutputState(status="present")}
MISSING = {"result.txt": OutputState(status="missing")}


def archive(kind: bytes, name: str = "result.txt", size: int = 3) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "elsewhere"
        member.size = size if kind == tarfile.REGTYPE else 0
        tar.addfile(member, io.BytesIO(b"x" * member.size))
    return buffer.getvalue()


def test_a_job_completes_when_its_outputs_were_found(job: Job) -> None:
    a = job(outputs=[FILE]).to("drained").tell(facts.LogsDrained())
    assert (a.record.status, a.record.phase, a.types[-1]) == ("running", "outputs", "exit")
    assert a.asks(blind=True) == actions.CollectOutputs()
    a.tell(facts.OutputsCollected(THERE))
    assert (a.record.status, a.record.outputs) == ("completed", THERE)
    assert a.types[-1] == "complete"
    assert a.asks(blind=True) == actions.Done()


def test_a_job_that_lacks_an_output_is_output_failed(job: Job) -> None:
    a = job(outputs=[FILE]).to("drained").tell(facts.LogsDrained(), conclusion(MISSING))
    assert (a.record.status, a.record.reason, a.record.exit_code) == ("failed", "output-failed", 0)
    assert a.record.error == "the command succeeded but the job has no 'result.txt'"
    assert (a.data("complete")["status"], a.data("complete")["reason"]) == ("failed", "output-failed")


def test_an_output_that_cannot_be_kept_has_a_reason_of_its_own(job: Job) -> None:
    states = {"result.txt": OutputState(status="not-kept", error="no room")}
    a = job(outputs=[FILE]).to("drained").tell(facts.LogsDrained(), conclusion(states))
    assert (a.record.status, a.record.reason) == ("failed", "output-too-large")
    assert a.record.error == "'result.txt' is not kept: no room"


def test_outputs_come_after_the_sidecars_own(job_with_files: Job) -> None:
    a = job_with_files(outputs=[FILE]).to("outputs")
    sent = report.ArtifactDone(n=3, artifact_id="out", artifact_type="read", status="success")
    a.tell(facts.Reported(sent), facts.Reported(report.Done(n=4)))
    assert a.types[-1] == "artifact"
    assert a.asks(blind=True) == actions.CollectOutputs()
    assert a.tell(conclusion(THERE)).record.status == "completed"


@pytest.mark.parametrize("code", [1, 137])
def test_a_failed_workers_outputs_are_not_collected(job: Job, code: int) -> None:
    a = job(outputs=[FILE]).to("running").look(job().exited(code)).tell(facts.LogsDrained())
    assert (a.record.status, a.record.reason, a.record.outputs) == ("failed", "exit-code", {})


@pytest.mark.parametrize("delete", [False, True])
def test_a_cancel_request_ends_the_collection(job: Job, delete: bool) -> None:
    a = job(outputs=[FILE]).to("drained").tell(facts.LogsDrained())
    a.tell(facts.CancelRequested(by="x", grace_s=0, delete=delete))
    assert a.record.status == "cancelled"
    a.tell(conclusion(THERE))
    assert a.record.outputs == {}


def test_an_engine_with_lasting_errors_ends_the_collection(job: Job) -> None:
    a = job(outputs=[FILE]).to("drained").tell(facts.LogsDrained())
    a.tell(facts.EngineErred("CollectOutputs", "no", 60, 60))
    assert (a.record.status, a.record.reason) == ("failed", "output-failed")


@pytest.mark.parametrize(
    ("kind", "there"),
    [(tarfile.REGTYPE, True), (tarfile.DIRTYPE, True), (tarfile.SYMTYPE, False), (tarfile.FIFOTYPE, False)],
)
@pytest.mark.parametrize("name", ["result.txt", "n" * 200])
def test_a_link_or_a_special_file_is_no_output(kind: bytes, there: bool, name: str) -> None:
    assert is_file_or_folder(archive(kind, name)[:LOOKED_AT_BYTES]) is there


def test_an_empty_tar_is_no_output() -> None:
    assert not is_file_or_folder(b"")


@given(st.binary(max_size=2000))
def test_any_bytes_can_be_checked(begin: bytes) -> None:
    assert is_file_or_folder(begin) in (True, False)


def test_a_path_is_found_in_the_workspace() -> None:
    spec = JobSpec(id="a", image="b", workspace="/w")
    assert [container_path(spec, path) for path in (".", "a/b", "a\\\\b")] == ["/w", "/w/a/b", "/w/a\\b"]
