"""Refused, missing and unreadable reports of a sidecar: the job fails, and its error quotes the line."""

from typing import Any

import pytest

from jobd.wire import report
from jobd.wire.artifact import Read, Write
from tests.support.fakes.sidecar import Said, SidecarScript

INPUT = Write(id="in", source="x", out="f")
OUTPUT = Read(id="out", source="f", depends="job")


async def test_a_sidecar_with_a_truncated_order_is_created_again(system: Any) -> None:
    refusing = SidecarScript(inputs=[report.Refused(n=1, error="cut")])
    system.engine.sidecars["a"] = [refusing, refusing, SidecarScript()]
    record = await system.ended(await system.submit(INPUT), tick_s=0.1)
    assert (record.status, record.setup.sidecar_runs) == ("completed", 3)
    assert record.attempt.artifacts["in"].status == "success"


async def test_a_sidecar_that_always_refuses_fails_the_job(system: Any) -> None:
    system.engine.sidecars["a"] = SidecarScript(inputs=[report.Refused(n=1, error="cut")])
    record = await system.ended(await system.submit(INPUT), tick_s=0.1)
    assert (record.status, record.reason, record.setup.sidecar_runs) == ("failed", "input-failed", 3)
    assert system.engine.starts == []


SURROGATE = (
    '{"type":"artifact","n":%d,"artifactId":"%s","artifactType":"read","status":"success","error":"\\udce9"}'
)


async def test_an_inputs_report_that_cannot_be_read_fails_the_job_and_is_quoted(system: Any) -> None:
    said: list[Said] = [report.Started(n=1), SURROGATE % (2, "in"), report.Ready(n=3)]
    system.engine.sidecars["a"] = SidecarScript(inputs=said)
    record = await system.ended(await system.submit(INPUT, OUTPUT), tick_s=0.1)
    assert (record.status, record.reason, record.setup.sidecar_runs) == ("failed", "input-failed", 1)
    assert '"artifactId":"in"' in (record.error or "")
    assert record.attempt.artifacts["in"].status == "failed"
    assert system.engine.starts == []
    events = await system.events(record)
    assert [event["type"].rpartition(".")[2] for event in events] == ["artifact", "exit", "complete"]
    assert (events[0]["data"]["artifactId"], events[0]["data"]["status"]) == ("in", "failed")
    assert "cannot be read" in events[0]["data"]["error"]


async def test_an_outputs_report_that_cannot_be_read_fails_the_outputs_and_is_quoted(system: Any) -> None:
    system.engine.sidecars["a"] = SidecarScript(
        outputs=[report.OutputsStarted(n=4), SURROGATE % (5, "out"), report.Done(n=6)]
    )
    record = await system.ended(await system.submit(INPUT, OUTPUT), tick_s=0.1)
    assert (record.status, record.reason, record.exit_code) == ("failed", "output-failed", 0)
    assert '"artifactId":"out"' in (record.error or "")
    assert record.attempt.artifacts["out"].status == "failed"
    events = await system.events(record)
    assert [event["type"].rpartition(".")[2] for event in events] == [
        "artifact",
        "start",
        "exit",
        "artifact",
        "complete",
    ]
    assert events[3]["data"]["status"] == "failed"


async def test_a_last_report_that_cannot_be_read_is_quoted_too(system: Any) -> None:
    done = report.ArtifactDone(n=5, artifact_id="out", artifact_type="read", status="success")
    system.engine.sidecars["a"] = SidecarScript(
        outputs=[report.OutputsStarted(n=4), done, '{"type":"done","n":6']
    )
    record = await system.submit(INPUT, OUTPUT)
    await system.until(record, lambda now: now.attempt.artifacts["out"].status == "success", tick_s=0.1)
    system.engine.end("a", "sidecar", 0)
    record = await system.ended(record, tick_s=0.1)
    assert (record.status, record.reason) == ("failed", "output-failed")
    assert '{"type":"done","n":6' in (record.error or "")


@pytest.mark.parametrize("noise", ["", "warning: locale not set", "\x00\ufffd"])
async def test_a_line_that_is_no_report_is_dropped(system: Any, noise: str) -> None:
    done = report.ArtifactDone(n=2, artifact_id="in", artifact_type="write", status="success")
    system.engine.sidecars["a"] = SidecarScript(
        inputs=[noise, report.Started(n=1), noise, done, report.Ready(n=3)]
    )
    record = await system.ended(await system.submit(INPUT), tick_s=0.1)
    assert (record.status, record.setup.sidecar_runs) == ("completed", 1)


async def test_a_missing_report_fails_its_artifact(system: Any) -> None:
    system.engine.sidecars["a"] = SidecarScript(outputs=[report.OutputsStarted(n=4), report.Done(n=6)])
    record = await system.ended(await system.submit(INPUT, OUTPUT), tick_s=0.1)
    assert (record.status, record.reason) == ("failed", "output-failed")
    assert record.attempt.artifacts["out"].status == "failed"
    system.engine.sidecars["b"] = SidecarScript(inputs=[report.Started(n=1), report.Ready(n=3)])
    record = await system.ended(await system.submit(INPUT, id="b"), tick_s=0.1)
    assert (record.status, record.reason, record.setup.sidecar_runs) == ("failed", "input-failed", 1)


async def test_an_unreadable_report_is_reported_once_over_a_restart(system: Any) -> None:
    system.engine.sidecars["a"] = SidecarScript(
        outputs=[report.OutputsStarted(n=4), SURROGATE % (5, "out"), "{"]
    )
    record = await system.submit(INPUT, OUTPUT)
    await system.until(record, lambda now: now.attempt.artifacts["out"].status == "failed", tick_s=0.1)
    await system.restart()
    await system.until(record, lambda now: now.sidecar.outputs_begun, tick_s=0.1)
    system.engine.end("a", "sidecar", 0)
    record = await system.ended(record, tick_s=0.1)
    assert (await system.event_types(record)).count("artifact") == 2
    assert record.reason == "output-failed"


async def test_inputs_take_one_commit_for_the_sidecars_start_and_one_for_its_reports(
    system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = []
    change = system.repository.change

    async def listed(record: Any, *more: Any) -> Any:
        stored.append((record.phase, record.sidecar is not None))
        return await change(record, *more)

    monkeypatch.setattr(system.repository, "change", listed)
    await system.ended(await system.submit(INPUT, OUTPUT), tick_s=0.1)
    assert stored[:5] == [
        ("pulling", False),
        ("pulling", False),
        ("inputs", True),
        ("running", True),
        ("running", True),
    ]
