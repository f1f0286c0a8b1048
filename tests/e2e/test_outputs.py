"""Outputs that go to local files, as a user has them: told truly, and there in the morning."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.daemon import Daemon, until
from tests.support.invariants import left_of

SHORT = {"JOB_RETENTION": "1s", "MAINTENANCE_INTERVAL": "200ms"}


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, and a state folder of the user's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    here = tmp_path / "here"
    here.mkdir()
    return here


def test_a_missing_local_output_is_reported_everywhere(
    daemon: Daemon, worker_image: str, job_id: str, user: Path
) -> None:
    done = daemon.jobctl(
        "run", "--name", job_id, "--sh", "touch other; ln -s /etc/passwd link",
        "--out", f"other={user}/", "--out", f"result.txt={user}/", "--out", f"link={user}/", worker_image,
    )  # fmt: skip
    assert done.returncode == 122
    assert (user / "other").exists(), "what is there is fetched all the same"
    view = daemon.call("GET", f"/v1/jobs/{job_id}").json
    assert (view["status"], view["reason"], view["exitCode"]) == ("failed", "output-failed", 0)
    assert (
        "has no 'result.txt' (the workspace holds link, other), 'link' (the output is a link" in view["error"]
    )
    assert [(entry["path"], entry["status"]) for entry in view["outputs"]] == [
        ("other", "present"),
        ("result.txt", "missing"),
        ("link", "missing"),
    ]
    assert "all outputs were delivered" not in daemon.jobctl("explain", job_id).stdout
    assert daemon.jobctl("wait", job_id).returncode == 122


@pytest.mark.takes("disk usage")
def test_outputs_of_a_detached_job_are_kept(
    make_daemon: Callable[..., Daemon],
    docker_client: docker.DockerClient,
    worker_image: str,
    job_id: str,
    user: Path,
) -> None:
    daemon = make_daemon(environ=SHORT).start()
    script = "head -c 3000000 /dev/urandom > big; mkdir -p dir/sub; echo text > dir/sub/file; sha256sum big"
    run = daemon.jobctl(
        "run", "-d", "--name", job_id, "--sh", script, "--out", f"big={user}/big", "--out", f"dir={user}/dir", worker_image
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (0, f"{job_id}\n"), run.stderr
    assert daemon.ended(job_id)["status"] == "completed"
    until(lambda: not left_of(docker_client, daemon, job_id), "the workspace is gone")
    daemon.kill()
    daemon.start()
    gone = daemon.jobctl("cp", f"{job_id}:other", str(user))
    assert gone.returncode == 4
    assert "no workspace any more: jobd removed it at 20" in gone.stderr
    waited = daemon.jobctl("wait", job_id, cwd="/")
    assert waited.returncode == 0, waited.stderr
    import hashlib

    said = daemon.log_lines(job_id)[0]["line"].split()[0]
    assert hashlib.sha256((user / "big").read_bytes()).hexdigest() == said
    assert (user / "dir" / "sub" / "file").read_text() == "text\n"
    (user / "big").unlink()
    assert daemon.jobctl("wait", job_id).returncode == 0
    assert not (user / "big").exists(), "by the way they are fetched once"
    assert daemon.jobctl("fetch", job_id).returncode == 0
    assert (user / "big").exists()
    assert daemon.jobctl("fetch", job_id, str(user / "elsewhere")).returncode == 0
    assert sorted(path.name for path in (user / "elsewhere").iterdir()) == ["big", "dir"]
    assert "kept outputs" in daemon.jobctl("doctor").stdout
    assert daemon.jobctl("rm", job_id).returncode == 0
    until(
        lambda: not list((daemon.folder / "state" / "outputs").iterdir()),
        "what was kept is gone with the job",
    )


def test_following_the_log_of_a_detached_job_fetches_its_outputs(
    daemon: Daemon, worker_image: str, job_id: str, user: Path
) -> None:
    daemon.jobctl(
        "run", "-d", "--name", job_id, "--sh", "sleep 0.5; echo x > a", "--out", f"a={user}/a", worker_image
    )
    followed = daemon.jobctl("logs", "-f", job_id)
    assert (followed.returncode, (user / "a").read_text()) == (0, "x\n"), followed.stderr


def test_an_output_that_is_too_large_to_keep_has_a_reason(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str, user: Path
) -> None:
    daemon = make_daemon(environ={"KEPT_OUTPUTS_MAX_BYTES": "100000"}).start()
    arguments: list[Any] = ["run", "-d", "--name", job_id, "--sh", "head -c 200000 /dev/zero > big"]
    assert daemon.jobctl(*arguments, "--out", f"big={user}/big", worker_image).returncode == 0
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"]) == ("failed", "output-too-large")
    assert "KEPT_OUTPUTS_MAX_BYTES" in view["error"]
    told = daemon.jobctl("explain", job_id).stdout
    assert "no room to keep an output" in told
    assert daemon.jobctl("wait", job_id).returncode == 122
    assert daemon.jobctl("cp", f"{job_id}:big", str(user / "big")).returncode == 0, (
        "while the workspace is there"
    )


def test_a_daemon_that_keeps_no_outputs_refuses_the_submission(
    make_daemon: Callable[..., Daemon], worker_image: str, user: Path
) -> None:
    daemon = make_daemon(environ={"KEPT_OUTPUTS_MAX_BYTES": "0"}).start()
    refused = daemon.jobctl("run", "-d", "--out", f"a={user}/a", worker_image)
    assert refused.returncode == 125
    assert "KEPT_OUTPUTS_MAX_BYTES" in refused.stderr


@pytest.mark.parametrize(
    ("destination", "why"),
    [
        ("/dev/stdout", "cannot go to stdout"),
        ("-", "needs an attached run"),
        ("mine", "does not replace"),
        ("a-file/below", "a-file"),
    ],
)
def test_an_unwritable_destination_is_refused_at_the_submission(
    daemon: Daemon, worker_image: str, job_id: str, user: Path, destination: str, why: str
) -> None:
    (user / "mine").mkdir()
    (user / "mine" / "diary").write_text("dear")
    (user / "a-file").write_text("")
    place = destination if destination in ("-", "/dev/stdout") else f"{user}/{destination}"
    done = daemon.jobctl(
        "run", "-d", "--name", job_id, "--sh", "mkdir o", "--out", f"o={place}", worker_image
    )
    assert done.returncode == 125, done.stderr
    assert why in done.stderr
    assert daemon.call("GET", f"/v1/jobs/{job_id}").status == 404
