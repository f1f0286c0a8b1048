"""The demo's second part: `jobctl run` with files of this machine, and the job's own exit code."""

import os
import subprocess
import sys
from pathlib import Path

from scripts.cluster_daemon import on_cluster
from scripts.daemon import ROOT, Daemon
from scripts.demo.data import agree, by_month, parsed
from scripts.demo.story import DEADLINE_S, Story

HERE = Path(__file__).parent


def jobctl(jobd: Daemon, *arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Runs jobctl in `folder` as a user does, in its own process."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JOBCTL_HOST": jobd.url}
    if on_cluster():
        environment["JOBCTL_DEFAULT_CPUS"] = (
            "0.25"  # a job that takes files of another one needs a place beside it
        )
    command = [sys.executable, "-m", "jobctl", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )


def from_the_command_line(
    story: Story, jobd: Daemon, names: tuple[str, str], data: Path, folder: Path
) -> None:
    """Runs the same computation on local files, then a job that fails on purpose.

    Raises:
        Difference: a check fails.
    """
    (folder / "temps.csv").write_bytes(data.read_bytes())
    (folder / "monthly.sh").write_bytes((HERE / "monthly.sh").read_bytes())
    shell = "sh monthly.sh temps.csv | tee monthly.csv"
    story.line(
        f"jobctl run --in temps.csv=temps.csv ... --out monthly.csv=monthly.csv busybox:latest sh -c '{shell}'"
    )
    done = jobctl(
        jobd,
        *("run", "--name", names[0], "--in", "temps.csv=temps.csv", "--in", "monthly.sh=monthly.sh"),
        *("--write", "parameters=UNIT=fahrenheit\nDIGITS=2\n", "--out", "monthly.csv=monthly.csv"),
        *("busybox:latest", "sh", "-c", shell),
        folder=folder,
    )
    story.check(
        done.returncode == 0, "local files in, a local file out, exit code 0", done.stderr or done.returncode
    )
    out = folder / "monthly.csv"
    table = out.read_text()
    expected = by_month(data.read_text(), "fahrenheit")
    story.check(
        agree(parsed(table), expected, 2), "monthly.csv is what Python computes from the same file", table
    )
    story.check(done.stdout == table, "stdout is the job's output and nothing else", done.stdout)
    story.check(out.stat().st_uid == os.getuid(), "the file belongs to the caller", out.stat())
    story.line("jobctl run busybox:latest sh -c 'exit 7'")
    failed = jobctl(jobd, "run", "--name", names[1], "busybox:latest", "sh", "-c", "exit 7")
    story.check(
        failed.returncode == 7, "jobctl exits with the job's own code, 7", failed.stderr or failed.returncode
    )
