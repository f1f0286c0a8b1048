"""What a start has recovered is as short-lived as anything else: the supervisor of a job leaves memory with the job's end."""

import signal
from pathlib import Path

from scripts.bench.support.waiting_jobs import keep_waiting
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
        daemon.module = "tests.support.instrumented.supervisor_count"
        daemon.start()
        assert count() == JOBS
        for n in range(JOBS):
            assert daemon.call("POST", f"/v1/jobs/job-{n}/cancel").status < 300
        until(lambda: count() == 0, "no supervisor is left")
    finally:
        daemon.kill()


def test_a_recovery_of_many_jobs_takes_no_collection(tmp_path: Path, no_engine: dict[str, str]) -> None:
    file = tmp_path / "count"
    keep_waiting(tmp_path / "jobd" / "state", 200, 10, 20)
    environ = {**no_engine, "JOBD_COLLECTION_COUNT": str(file)}
    daemon = Daemon(
        tmp_path / "jobd", environ=environ, module="tests.support.instrumented.collection_count"
    ).start()
    assert file.read_text() == "0"
    assert daemon.call("GET", "/v1/queue").json["waiting"] == 200
    assert daemon.stop() == 0
