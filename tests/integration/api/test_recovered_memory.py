"""What a start has recovered is as short-lived as anything else: the supervisor of a job leaves memory with the job's end."""

import signal
from pathlib import Path

from tests.support.daemon import Daemon, until

JOBS = 5


def test_the_supervisor_of_a_recovered_job_leaves_memory(tmp_path: Path, no_engine: dict[str, str]) -> None:
    file = tmp_path / "count"
    daemon = Daemon(tmp_path / "jobd", environ={**no_engine, "JOBD_SUPERVISOR_COUNT": str(file)})

    def count() -> int:
        assert daemon.process is not None
        file.unlink(missing_ok=True)
        daemon.process.send_signal(signal.SIGUSR1)
        until(file.exists, "the supervisors are counted")
        return int(file.read_text())

    daemon.start()
    try:
        assert daemon.call("POST", "/v1/queue/pause").status == 200
        for n in range(JOBS):
            daemon.submit(id=f"job-{n}", image="busybox", command="true")
        daemon.kill()
        daemon.module = "tests.support.supervisor_count"
        daemon.start()
        assert count() == JOBS
        for n in range(JOBS):
            assert daemon.call("POST", f"/v1/jobs/job-{n}/cancel").status < 300
        until(lambda: count() == 0, "no supervisor is left")
    finally:
        daemon.kill()
