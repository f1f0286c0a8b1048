"""The demo's third part: download, clean and report as three jobs that hand files over, and the same with a job that fails."""

from itertools import pairwise
from pathlib import Path
from typing import Any

from scripts.daemon import ROOT, Daemon
from scripts.demo.command_line import jobctl
from scripts.demo.data import agree, by_month, parsed
from scripts.demo.receiver import Source
from scripts.demo.story import Story

FILE = ROOT / "examples" / "pipeline.yaml"
STAGES = ("download", "clean", "report")
TOO_MANY_ROWS = "1000000"
"""More than the data has: `clean` fails."""


def jobs_of(set_id: str) -> list[str]:
    """Returns the ids of a pipeline's jobs, in the order of their stages."""
    return [f"{set_id}-{stage}" for stage in STAGES]


def pipelines(story: Story, jobd: Daemon, good: str, bad: str, data: Path, folder: Path) -> None:
    """Runs the pipeline as the sets `good` and `bad`; in `bad`, `clean` fails.

    Raises:
        Difference: a check fails.
    """
    with Source() as source:
        source.files["temps.csv"] = data.read_bytes()
        _completed(story, jobd, good, source.url("temps.csv"), data.read_text(), folder)
        _failed(story, jobd, bad, source.url("temps.csv"))


def _run(story: Story, jobd: Daemon, set_id: str, *variables: str) -> Any:
    flags = [word for variable in variables for word in ("-e", variable)]
    shown = " ".join("-e DATA_URL=..." if word.startswith("DATA_URL") else f"-e {word}" for word in variables)
    story.line(f"jobctl run -f examples/{FILE.name} --set {set_id} {shown}")
    return jobctl(jobd, "run", "-f", str(FILE), "--set", set_id, *flags)


def _views(jobd: Daemon, set_id: str) -> list[dict[str, Any]]:
    return [jobd.request("GET", f"/v1/jobs/{job}")[1] for job in jobs_of(set_id)]


def _completed(story: Story, jobd: Daemon, set_id: str, url: str, text: str, folder: Path) -> None:
    done = _run(story, jobd, set_id, f"DATA_URL={url}")
    story.check(done.returncode == 0, "three jobs, one set, exit code 0", done.stderr)
    jobs = _views(jobd, set_id)
    in_order = all(earlier["finishedAt"] <= later["startedAt"] for earlier, later in pairwise(jobs))
    story.check(in_order, "each job started after the end of the one before", jobs)
    out = folder / "report.csv"
    copied = jobctl(jobd, "cp", f"{jobs_of(set_id)[-1]}:monthly.csv", str(out))
    story.check(copied.returncode == 0, "jobctl cp fetches the report", copied.stderr)
    table = out.read_text()
    story.check(
        agree(parsed(table), by_month(text, "fahrenheit"), 3),
        "handed over twice, the data gave the means that Python computes",
        table,
    )


def _failed(story: Story, jobd: Daemon, set_id: str, url: str) -> None:
    done = _run(story, jobd, set_id, f"DATA_URL={url}", f"MIN_ROWS={TOO_MANY_ROWS}")
    story.check(
        done.returncode == 3,
        "jobctl exits with the code of the job that failed, 3",
        done.stderr or done.returncode,
    )
    jobs = _views(jobd, set_id)
    ends = [(job["status"], job.get("reason"), job.get("exitCode")) for job in jobs]
    story.line(", ".join(f"{stage}: {end[0]}" for stage, end in zip(STAGES, ends, strict=True)))
    story.check(ends[0] == ("completed", None, 0), "download completed", jobs[0])
    story.check(ends[1] == ("failed", "exit-code", 3), "clean failed with exit code 3", jobs[1])
    story.check(
        ends[2] == ("cancelled", "dependency", None), "report was cancelled, reason dependency", jobs[2]
    )
    story.check("startedAt" not in jobs[2], "report never started", jobs[2])
