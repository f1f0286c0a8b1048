"""Submissions to a full queue, and while the engine is down."""

from collections.abc import Callable

from tests.support.daemon import Daemon, until


def test_a_full_queue_refuses_jobs_until_one_leaves(
    make_daemon: Callable[..., Daemon], worker_image: str
) -> None:
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "1", "MAX_QUEUED_JOBS": "1"}).start()
    daemon.submit(id="first", image=worker_image, command="sleep 600")
    until(lambda: daemon.call("GET", "/v1/jobs/first").json["phase"] != "queued", "the job has its place")
    daemon.submit(id="second", image=worker_image)
    second = daemon.call("GET", "/v1/jobs/second").json
    assert (second["phase"], second["queuePosition"]) == ("queued", 1)
    answer = daemon.call("POST", "/v1/jobs", {"id": "third", "image": "busybox"})
    assert (answer.status, answer.json["code"]) == (429, "queue-full")
    assert answer.headers["Retry-After"] == "1"
    assert daemon.call("GET", "/v1/jobs/third").status == 404
    assert daemon.call("POST", "/v1/jobs/second/cancel").status == 202
    daemon.ended("second")
    daemon.submit(id="third", image=worker_image)


def test_jobs_submitted_while_the_engine_is_down_run_once_it_is_back(
    make_daemon: Callable[..., Daemon], no_engine: dict[str, str], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ=dict(no_engine)).start()
    ready = daemon.call("GET", "/readyz")
    assert (ready.status, ready.json["status"]) == (503, "unhealthy")
    assert ready.json["checks"]["engine"].startswith("unreachable")
    assert daemon.call("GET", "/livez").status == 200
    daemon.submit(id=job_id, image=worker_image, command="exit 4")
    waiting = daemon.call("GET", f"/v1/jobs/{job_id}").json
    assert (waiting["status"], waiting["phase"]) == ("accepted", "queued")
    assert waiting["waitingFor"] == "the container engine to answer: number 1 in the queue"
    daemon.kill()
    daemon.environ.clear()
    daemon.start()
    assert daemon.ended(job_id)["exitCode"] == 4
    assert daemon.call("GET", "/readyz").json["status"] == "healthy"
