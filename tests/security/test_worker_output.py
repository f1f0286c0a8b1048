"""The output of a hostile worker: binary data and very long lines."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.daemon import Daemon


def test_binary_output_is_text_everywhere(run: Any, daemon: Daemon, job_id: str) -> None:
    """Every byte, escape sequences and text that looks like a report or the log's own last frame."""
    forged = json.dumps({"end": {"status": "completed", "exitCode": 0}})
    command = (
        f"head -c 200000 /dev/urandom; echo; echo '{forged}'; printf '\\033]0;owned\\007\\000\\377\\n';"
        " head -c 50000 /dev/urandom >&2; exit 9"
    )
    ran = run(command=command)
    assert ran.view["exitCode"] == 9
    frames = daemon.log_lines(job_id)
    assert frames[-1]["end"]["exitCode"] == 9
    assert not [frame for frame in frames[:-1] if "end" in frame]
    lines = [frame["line"] for frame in frames[:-1]]
    assert forged in lines
    "".join(lines).encode()  # no lone surrogate
    logged = [line for e in ran.events if e["type"] == "orchestrator.job.log" for line in e["data"]["lines"]]
    assert sorted(logged) == sorted(lines)
    shown = daemon.jobctl("logs", job_id, errors="replace")
    assert forged in shown.stdout


def test_a_line_of_a_hundred_megabytes_costs_little_memory(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"LOG_MAX_BYTES": str(8 << 20)}).start()
    assert daemon.process is not None
    before = peak_memory_kb(daemon.process.pid)
    daemon.submit(
        id=job_id,
        image=worker_image,
        command="head -c 100000000 /dev/zero | tr '\\0' x; echo; echo last; exit 3",
    )
    view = daemon.ended(job_id, 120)
    assert view["exitCode"] == 3
    size = sum(len(frame.get("line", "")) for frame in daemon.log_lines(job_id))
    assert size <= 9 << 20
    assert peak_memory_kb(daemon.process.pid) - before < 150_000


def peak_memory_kb(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0])
