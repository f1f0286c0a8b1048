"""One run over real files: the order of reports, policies, and what ends with which code."""

import os
import signal
from pathlib import Path

import pytest

from jobd.wire.artifact import Archive, Artifact, List, Read, Unarchive, Write
from jobd.wire.report import (
    ArtifactDone,
    Done,
    InputsFailed,
    Progress,
    Ready,
    Report,
    decode_report,
)
from sidecar.artifacts.base import Context
from sidecar.interrupts import Cancelled, Interrupts
from sidecar.plan import make_plan
from sidecar.reporting.report import MOST_PROGRESS, Reports
from sidecar.runner import Run


class Runs:
    """Runs artifacts in the workspace and keeps the reports; `signals` are sent as soon as it is ready."""

    def __init__(self, context: Context, interrupts: Interrupts) -> None:
        self._context, self._interrupts = context, interrupts
        self.reports: list[Report] = []
        self.signals: list[int] = []

    def write(self, line: bytes) -> None:
        report = decode_report(line)
        self.reports.append(report)
        if isinstance(report, Ready):
            for number in self.signals:
                os.kill(os.getpid(), number)

    def run(self, *artifacts: Artifact, wait_s: float = 0.001) -> int:
        run = Run(
            make_plan(artifacts),
            self._context.workspace,
            self._interrupts,
            Reports(self._interrupts, self.write),
            lambda meter: self._context,
            wait_s,
        )
        return run.run()

    @property
    def story(self) -> list[str]:
        return [
            f"{r.artifact_id} {r.status}" if isinstance(r, ArtifactDone) else type(r).__name__
            for r in self.reports
        ]

    def error(self, id: str) -> str:
        return next(
            r.error or "" for r in self.reports if isinstance(r, ArtifactDone) and r.artifact_id == id
        )


@pytest.fixture
def runs(context: Context, interrupts: Interrupts) -> Runs:
    return Runs(context, interrupts)


def test_inputs_alone_end_at_once(runs: Runs, root: Path) -> None:
    assert runs.run(Write(id="a", source="x", out="in/a")) == 0
    assert runs.story == ["a success", "Ready", "Done"]
    assert [r.n for r in runs.reports] == [1, 2, 3]
    assert (root / ".ready").read_bytes() == b""


def test_outputs_wait_for_the_worker(runs: Runs, root: Path) -> None:
    (root / "result").write_text('{"answer": 42}')
    runs.signals = [signal.SIGUSR1]
    assert runs.run(Read(id="r", source="result", depends="job"), Write(id="w", source="x", out="a")) == 0
    assert runs.story == ["w success", "Ready", "OutputsStarted", "r success", "Done"]
    result = runs.reports[3]
    assert isinstance(result, ArtifactDone)
    assert (result.content, result.bytes, result.artifact_type) == ({"answer": 42}, 14, "read")
    assert runs.reports[-1] == Done(n=5, failed=[])


def test_when_decides_by_how_the_worker_ended(runs: Runs, root: Path) -> None:
    (root / "log").write_text("x")
    runs.signals = [signal.SIGUSR2]
    runs.run(
        Read(id="s", source="log", depends="job"),
        Read(id="f", source="log", depends="job", when="failure"),
        Read(id="a", source="log", depends="job", when="always"),
        List(id="l", source=".", depends="job"),
    )
    assert runs.story == [
        "Ready",
        "OutputsStarted",
        "s skipped",
        "f success",
        "a success",
        "l skipped",
        "Done",
    ]


def test_a_failed_output_fails_its_dependents_and_nothing_else(runs: Runs, root: Path) -> None:
    runs.signals = [signal.SIGUSR1]
    code = runs.run(
        Archive(id="pack", source="none", out="x.tgz", depends="job"),
        Unarchive(id="unpack", source="x.tgz", out="y", depends="pack"),
        Read(id="maybe", source="none", depends="job", optional=True),
        Read(id="after", source="x", depends="maybe"),
        List(id="list", source=".", depends="job"),
    )
    assert code == 0
    assert runs.story[2:] == [
        "pack failed",
        "unpack failed",
        "maybe failed",
        "after skipped",
        "list success",
        "Done",
    ]
    assert "depends on 'pack'" in runs.error("unpack")
    assert "does not exist" in runs.error("unpack")
    maybe = next(r for r in runs.reports if isinstance(r, ArtifactDone) and r.artifact_id == "maybe")
    assert maybe.optional
    assert runs.reports[-1] == Done(n=8, failed=["pack", "unpack"])


def test_a_failed_input_stops_the_job(runs: Runs, root: Path) -> None:
    code = runs.run(
        Unarchive(id="a", source="none", out="x"),
        Write(id="b", source="x", out="b", depends="a"),
        Write(id="c", source="x", out="c"),
        Read(id="out", source="x", depends="job"),
    )
    assert code == 1
    assert runs.story == ["a failed", "b failed", "c skipped", "InputsFailed"]
    end = runs.reports[-1]
    assert isinstance(end, InputsFailed)
    assert end.error is not None
    assert end.error.startswith("input 'a' (unarchive) failed: none: does not exist in the workspace")
    assert not (root / ".ready").exists()


def test_an_optional_input_may_be_missing(runs: Runs) -> None:
    assert runs.run(Read(id="a", source="none", optional=True)) == 0
    assert runs.story == ["a failed", "Ready", "Done"]


def test_without_the_workers_end_the_outputs_fail(runs: Runs) -> None:
    assert runs.run(Read(id="r", source="x", depends="job")) == 0
    assert runs.story == ["Ready", "r failed", "Done"]
    assert "did not report" in runs.error("r")


def test_a_signal_during_the_inputs_cancels(runs: Runs, interrupts: Interrupts, root: Path) -> None:
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except BaseException:  # swallowed as in a __del__
        pass
    with pytest.raises(Cancelled):
        runs.run(Write(id="a", source="x", out="a"), Read(id="r", source="a", depends="job"))
    assert runs.story == []
    assert not list(root.iterdir())


def test_an_unexpected_error_fails_one_artifact_and_prints_no_secret(
    context: Context, interrupts: Interrupts, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = Runs(context, interrupts)
    # The context of unit tests has no HTTP client: asking for one is the unexpected error.
    from jobd.wire.artifact import Download

    assert runs.run(Download(id="d", source="http://u:sesame@h/?sesame", out="x")) == 1
    assert "internal error of the sidecar (AssertionError)" in runs.error("d")
    assert "sesame" not in str(runs.reports) + capsys.readouterr().err


def test_progress_reports_are_limited_in_rate_and_number(interrupts: Interrupts) -> None:
    now = 0.0
    lines: list[bytes] = []
    reports = Reports(interrupts, lines.append, clock=lambda: now)
    artifact = Write(id="a", source="", out="x")
    meter = reports.meter(artifact)
    for step in range(1, 1001):
        now = step / 100
        meter(step, 1000)
    assert 15 <= len(lines) <= 20
    first = decode_report(lines[0])
    assert isinstance(first, Progress)
    assert (first.bytes, first.total) == (50, 1000)
    for _ in range(10 * MOST_PROGRESS):
        now += 1000
        reports.meter(artifact)
        meter(1, None)
        meter = reports.meter(artifact)
        now += 1
        meter(1, None)
    assert len(lines) == MOST_PROGRESS


def test_a_closed_stdout_does_not_stop_the_run(
    interrupts: Interrupts, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def closed(line: bytes) -> None:
        calls.append(line)
        raise BrokenPipeError(32, "Broken pipe")

    reports = Reports(interrupts, closed)
    reports.started()
    reports.ready()
    assert len(calls) == 1
    assert "Broken pipe" in capsys.readouterr().err
