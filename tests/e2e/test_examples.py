"""The examples with a real jobd: the receiver gets what piled up while it was away; an urgent job starts before those that wait; a sweep
and a pipeline give their results.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.daemon import Daemon, until

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PROGRAM = EXAMPLES / "receiver.py"
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_waiting_events_arrive_in_a_batch(
    make_daemon: Callable[..., Daemon],
    worker_image: str,
    job_id: str,
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    port = free_port()
    daemon = make_daemon(
        environ={"DISPATCHER_MAX_BACKOFF": "300ms", "DISPATCHER_BREAKER_COOLDOWN": "300ms"}
    ).start()
    callback = {"url": f"http://127.0.0.1:{port}/events", "key": KEY, "batch": True}
    daemon.submit(id=job_id, image=worker_image, command="echo one; echo two", callback=callback)
    daemon.ended(job_id)
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("w") as stdout, err.open("w") as stderr:
        receiver = subprocess.Popen(
            [sys.executable, "-u", str(PROGRAM)],
            env={**os.environ, "WEBHOOK_KEY": KEY, "PORT": str(port)},
            stdout=stdout,
            stderr=stderr,
        )
        try:
            until(
                lambda: "orchestrator.job.complete" in out.read_text() and " 204" in err.read_text(),
                "the last event arrives",
            )
        finally:
            receiver.terminate()
            receiver.wait(30)
    events = [line.split()[1:3] for line in out.read_text().splitlines()]
    assert [int(number) for number, _ in events] == list(range(1, len(events) + 1))
    assert events[0][1] == "orchestrator.job.start"
    requests = err.read_text().splitlines()
    assert all('"POST /events HTTP/1.1" 204' in line for line in requests)
    assert 0 < len(requests) < len(events)


def script(daemon: Daemon, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a script of the examples to its good end, with `jobctl` in its path."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", str(EXAMPLES / name), *arguments],
        env={**os.environ, "PATH": path, "JOBCTL_HOST": f"unix://{daemon.socket}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_an_urgent_job_starts_before_those_that_wait(daemon: Daemon, worker_image: str) -> None:
    done = script(daemon, "urgent.sh")
    group = done.stdout.splitlines()[1].split()[0]
    started = {
        name: daemon.call("GET", f"/v1/jobs/{group}-{name}").json["startedAt"]
        for name in ("1", "urgent", "2", "3", "4")
    }
    assert sorted(started, key=lambda name: started[name]) == list(started)
    assert daemon.call("GET", f"/v1/groups/{group}").status == 404


def test_a_sweep_over_two_parameters_gives_a_file_for_each_combination(
    daemon: Daemon, worker_image: str, tmp_path: Path
) -> None:
    done = script(daemon, "sweep.sh", str(tmp_path / "results"))
    files = {path.name: path.read_text() for path in (tmp_path / "results").iterdir()}
    assert set(files) == {f"{rate}-{seed}" for rate in ("0.1", "0.01") for seed in (1, 2, 3)}
    name, _, loss = done.stdout.splitlines()[-1].partition(":")
    assert float(loss) == min(map(float, files.values())) == float(files[name])


def test_a_pipeline_hands_files_over_and_a_failed_job_stops_those_behind_it(
    daemon: Daemon, worker_image: str, job_id: str, tmp_path: Path
) -> None:
    """The data is local here, in a job that takes the place of the download."""
    lines = ["temp,date", "10,2010/01/01 00:00:00", "14,2010/01/01 01:00:00", ",x", "7,2010/02/01 00:00:00"]
    text = (EXAMPLES / "pipeline.yaml").read_text()
    data = "\\n".join(lines)
    file = tmp_path / "pipeline.yaml"
    wget = 'wget -q -O raw.csv "$DATA_URL"'
    assert wget in text
    file.write_text(text.replace(wget, f"printf '{data}\\n' > raw.csv"))
    assert daemon.jobctl("validate", str(file)).stdout == f"{file}: valid\n"
    good = daemon.jobctl("run", "-f", str(file), "--set", job_id)
    assert good.returncode == 0, good.stderr
    report = daemon.jobctl("cp", f"{job_id}-report:monthly.csv", "-")
    assert report.stdout == "01,12.000,14.000,2\n02,7.000,7.000,1\n", report.stderr
    bad = daemon.jobctl("run", "-f", str(file), "--set", f"{job_id}-bad", "-e", "MIN_ROWS=4")
    assert bad.returncode == 3, bad.stderr
    ends = [
        daemon.call("GET", f"/v1/jobs/{job_id}-bad-{name}").json for name in ("download", "clean", "report")
    ]
    assert [(job["status"], job.get("reason")) for job in ends] == [
        ("completed", None),
        ("failed", "exit-code"),
        ("cancelled", "dependency"),
    ]
    assert "startedAt" not in ends[2]
