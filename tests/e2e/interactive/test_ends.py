"""An input whose client, or whose jobd, goes before its end."""

import hashlib
from collections.abc import Callable
from typing import Any

from tests.e2e.interactive.pipes import fed, run, said
from tests.support.daemon import DEADLINE_S, Daemon, until


def test_the_rest_of_an_input_comes_from_another_client(
    daemon: Daemon, worker_image: str, job_id: str
) -> None:
    first = fed(daemon, "run", "--name", job_id, "-i", worker_image, "sh", "-c", "tee all; sha256sum all")
    said(first, b"one\n")
    first.kill()
    first.communicate(timeout=DEADLINE_S)
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "running", "the job runs on")

    def attached() -> Any:
        done = run(daemon, "attach", job_id, text=b"two\n")
        return None if b"another client feeds" in done.stderr else done

    done = until(attached, "the first client has left")
    digest = hashlib.sha256(b"one\ntwo\n").hexdigest()
    assert (done.returncode, done.stdout) == (0, f"two\n{digest}  all\n".encode())


def test_a_job_whose_input_a_kill_of_jobd_has_cut_does_not_count_as_completed(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon().start()
    program = fed(daemon, "run", "--name", job_id, "-i", worker_image, "cat")
    said(program, b"one\n")
    daemon.kill()
    _, err = program.communicate(timeout=DEADLINE_S)
    assert program.returncode == 125
    assert "the connection to jobd broke" in err.decode()
    assert f"jobctl attach {job_id}" in err.decode()
    daemon.start()
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"], view["exitCode"]) == ("failed", "input-failed", 0)
    assert "an end that nobody sent" in view["error"]
    assert run(daemon, "logs", job_id).stdout == b"one\n"


def test_an_input_that_had_ended_survives_a_kill_of_jobd(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon().start()
    script = "cat; touch read; while [ ! -e go ]; do sleep 0.1; done"
    program = fed(daemon, "run", "--name", job_id, "-i", worker_image, "sh", "-c", script)
    said(program, b"one\n")
    assert program.stdin is not None
    program.stdin.close()
    program.stdin = None
    until(
        lambda: run(daemon, "exec", job_id, "test", "-e", "read").returncode == 0,
        "the command has read the end",
    )
    daemon.kill()
    program.communicate(timeout=DEADLINE_S)
    daemon.start()
    assert run(daemon, "exec", job_id, "touch", "go").returncode == 0
    assert daemon.ended(job_id)["status"] == "completed"


def test_a_command_that_does_not_exist_has_not_started_on_a_terminal_either(
    daemon: Daemon, worker_image: str, job_id: str
) -> None:
    daemon.submit(id=job_id, image=worker_image, command=["/no/such"], tty=True)
    view = daemon.ended(job_id)
    assert (view["reason"], view["exitCode"]) == ("start-failed", 127)
    assert '"/no/such" does not exist in the image' in view["error"]
