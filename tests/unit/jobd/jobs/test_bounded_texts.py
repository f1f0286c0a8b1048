"""External texts in a job's record and events are bounded: the engine's, a sidecar's, a registry's."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from jobd.jobs.record.record_form import encode_record
from jobd.jobs.state import facts
from jobd.wire import report

LONG = "x" * 1_000_000
Job = Callable[..., Any]


def reported(said: report.Report) -> facts.Reported:
    return facts.Reported(said)


FACTS = {
    "setup": ("pulling", facts.SetupFailed("image-not-found", LONG)),
    "start": ("ready", facts.WorkerStartFailed(127, LONG)),
    "refused": ("inputs", reported(report.Refused(n=9, error=LONG))),
    "inputs failed": ("inputs", reported(report.InputsFailed(n=9, error=LONG))),
    "artifact": (
        "inputs",
        reported(report.ArtifactDone(n=9, artifact_id="in", artifact_type="", status="failed", error=LONG)),
    ),
    "done": ("outputs", reported(report.Done(n=9, failed=[LONG, *(["out"] * 100_000)]))),
}


@pytest.mark.parametrize("name", FACTS)
def test_the_texts_of_a_record_and_its_events_are_bounded(job_with_files: Job, name: str) -> None:
    phase, fact = FACTS[name]
    a = job_with_files().to(phase)
    before = a.record
    a.tell(fact)
    assert a.record != before
    assert len(encode_record(a.record)) < 32_000
    assert sum(len(msgspec.json.encode(draft.data)) for draft in a.drafts) < 32_000


def test_an_engine_s_error_of_any_length_is_cut(job_with_files: Job) -> None:
    a = job_with_files().to("ready").tell(facts.WorkerStarting())
    a.look(replace(a.container("created", exit_code=127), error=LONG))
    assert a.record.reason == "start-failed"
    assert len(encode_record(a.record)) < 32_000


def test_the_failures_that_a_sidecar_names_are_those_of_artifacts(job_with_files: Job) -> None:
    a = job_with_files().to("outputs").tell(reported(report.Done(n=9, failed=["out", "none", "out"])))
    assert a.record.error == "outputs failed: out"
    b = job_with_files().to("outputs").tell(reported(report.Done(n=9, failed=[LONG])))
    assert (b.record.status, b.record.error) == ("failed", f"outputs failed: {LONG[:128]}")


def test_texts_of_usual_length_stay_as_they_are(job_with_files: Job) -> None:
    a = job_with_files().to("pulling").tell(facts.SetupFailed("image-not-found", "y" * 4000))
    assert a.record.error == "y" * 4000
