"""`secrets` of a job: files in memory that only its worker can read, also after restarts of jobd, and that are nowhere else."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest

from tests.support.daemon import Daemon, Receiver, until

NAME = "/run/secrets"


@pytest.fixture
def secret() -> str:
    return f"sEcReT{uuid.uuid4().hex}"


def said(daemon: Daemon, job_id: str) -> list[str]:
    return [frame["line"] for frame in daemon.log_lines(job_id) if "line" in frame]


def held_in(folder: Path, secret: str) -> list[str]:
    return [p.name for p in folder.rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]


@pytest.mark.parametrize("user", [None, "1000:1000", "app"])
@pytest.mark.parametrize("more", [{}, {"capDrop": ["ALL"], "readOnly": True}], ids=["plain", "strict"])
def test_the_worker_reads_its_secrets_and_cannot_change_them(
    daemon: Daemon, worker_image: str, job_id: str, secret: str, user: str | None, more: dict[str, Any]
) -> None:
    daemon.submit(
        id=job_id,
        image=worker_image,
        secrets={"token": secret, "other.pem": "two\nlines\n"},
        command=f"cd {NAME}; ls; stat -c '%a %n' *; wc -c < token; cat other.pem; touch x 2>/dev/null || echo refused;"
        f"env | grep -c sEcReT; df {NAME} | tail -1 | cut -d' ' -f1; sed 's/sEcReT/got /' token",
        **({"user": user} if user else {}),
        **more,
    )
    view = daemon.ended(job_id)
    assert view["status"] == "completed", view
    lines = said(daemon, job_id)
    assert lines == [
        "other.pem", "token", "400 other.pem", "400 token", str(len(secret)), "two", "lines", "refused", "0", "tmpfs",
        f"got {secret.removeprefix('sEcReT')}",
    ]  # fmt: skip


def test_another_user_of_the_container_reads_nothing(
    daemon: Daemon, worker_image: str, job_id: str, secret: str
) -> None:
    daemon.submit(
        id=job_id,
        image=worker_image,
        secrets={"token": secret},
        command=f"setpriv --reuid 1234 --clear-groups cat {NAME}/token 2>&1; su -s /bin/sh nobody -c 'cat {NAME}/token' 2>&1",
    )
    daemon.ended(job_id)
    assert secret not in "".join(said(daemon, job_id))


def test_a_secret_is_nowhere_else(
    make_daemon: Callable[..., Daemon],
    docker_client: docker.DockerClient,
    receiver: Receiver,
    worker_image: str,
    job_id: str,
    secret: str,
) -> None:
    """While the job runs only one file on the disk contains the secret, and none after its end."""
    daemon = make_daemon(environ={"LOG_LEVEL": "debug"}, is_executed=True).start()
    spec = {
        "id": job_id,
        "image": worker_image,
        "secrets": {"token": secret},
        "command": "echo started; while ! [ -e stop ]; do usleep 20000; done",
        "artifacts": [
            {"id": "read", "type": "read", "in": "stop", "depends": "job"},
            {"id": "list", "type": "list", "in": ".", "depends": "job"},
        ],
        "callback": {"url": receiver.url(f"/{job_id}")},
    }
    answers = [daemon.call("POST", "/v1/jobs", spec).body]
    until(lambda: "started" in said(daemon, job_id), "the worker runs")
    worker, sidecar = (docker_client.containers.get(f"job-{job_id}-{role}") for role in ("worker", "sidecar"))
    volume = docker_client.volumes.get(f"job-{job_id}-secrets")
    shown = json.dumps([worker.attrs, sidecar.attrs, volume.attrs])
    assert secret not in shown
    assert NAME in shown
    state = daemon.folder / "state"
    assert {Path(name).suffix for name in held_in(state, secret)} == {".json"}
    for path in (state / "secrets").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    for process in Path("/proc").glob("[0-9]*"):
        try:
            assert (
                secret.encode() not in (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            )
        except OSError:
            continue
    # The containers' own file systems do not contain it.
    assert not [c for c in worker.diff() or [] if str(c["Path"]).startswith(f"{NAME}/")]
    worker.exec_run(["sh", "-c", "echo done > /workspace/stop"])
    assert daemon.ended(job_id)["status"] == "completed"
    events = receiver.complete(f"/{job_id}")
    for part in ("", "/logs", "/deliveries", "/files?path=."):
        answers.append(daemon.call("GET", f"/v1/jobs/{job_id}{part}").body)
    answers += [daemon.call("GET", path).body for path in ("/v1/jobs", "/v1/events")]
    assert secret not in json.dumps(events)
    assert not [body for body in answers if secret.encode() in body]
    assert secret.encode() not in worker.logs() + sidecar.logs() + daemon.log.read_bytes()
    until(lambda: not list((state / "secrets").iterdir()), "the file is gone")
    assert held_in(state, secret) == []
    # No process with the secret runs: its memory is free.
    content = docker_client.containers.run(
        worker_image, ["ls", "-A", NAME], volumes={volume.name: {"bind": NAME}}, remove=True
    )
    assert content == b""
    assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 204

    def gone() -> bool:
        return volume.name not in [v.name for v in docker_client.volumes.list()]

    until(gone, "the volume is gone")


def test_a_queued_job_keeps_its_secrets_over_a_restart(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str, secret: str
) -> None:
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "1"}).start()
    daemon.submit(id=f"{job_id}-first", image=worker_image, command="exec sleep 300")
    daemon.submit(
        id=job_id,
        image=worker_image,
        secrets={"token": secret},
        command=f"md5sum {NAME}/token; wc -c {NAME}/token",
    )
    daemon.submit(id=f"{job_id}-gone", image=worker_image, secrets={"token": secret}, command="true")
    assert daemon.call("POST", f"/v1/jobs/{job_id}-gone/cancel").status == 202
    daemon.ended(f"{job_id}-gone")
    daemon.kill()
    daemon.start()
    assert daemon.call("GET", f"/v1/jobs/{job_id}").json["phase"] == "queued"
    assert len(list((daemon.folder / "state" / "secrets").iterdir())) == 1
    assert daemon.call("POST", f"/v1/jobs/{job_id}-first/cancel", {"graceSeconds": 0}).status == 202
    assert daemon.ended(job_id)["status"] == "completed"
    assert said(daemon, job_id)[1].split()[0] == str(len(secret))


def test_each_attempt_has_the_secrets(daemon: Daemon, worker_image: str, job_id: str, secret: str) -> None:
    daemon.submit(
        id=job_id,
        image=worker_image,
        secrets={"token": secret},
        retries=1,
        command=f"wc -c < {NAME}/token; exit 3",
    )
    view = daemon.ended(job_id)
    assert (view["exitCode"], len(view["attempts"])) == (3, 2)
    assert said(daemon, job_id) == [str(len(secret))] * 2


def test_a_job_whose_secrets_were_removed_fails_before_it_runs(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str, secret: str
) -> None:
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "1"}).start()
    daemon.submit(id=f"{job_id}-first", image=worker_image, command="exec sleep 300")
    daemon.submit(id=job_id, image=worker_image, secrets={"token": secret}, command="echo ran")
    for path in (daemon.folder / "state" / "secrets").iterdir():
        path.unlink()
    daemon.call("POST", f"/v1/jobs/{job_id}-first/cancel", {"graceSeconds": 0})
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"]) == ("failed", "input-failed")
    assert said(daemon, job_id) == []


def test_a_foreign_volume_with_the_secrets_name_is_refused(
    daemon: Daemon, docker_client: docker.DockerClient, worker_image: str, job_id: str, secret: str
) -> None:
    """Otherwise another user could create a plain volume with this name first, and get the secrets on disk."""
    volume = docker_client.volumes.create(f"job-{job_id}-secrets")
    try:
        daemon.submit(id=job_id, image=worker_image, secrets={"token": secret}, command="echo ran")
        view = daemon.ended(job_id)
        assert (view["status"], view["reason"]) == ("failed", "refused-by-engine")
        assert volume.name in view["error"]
        assert said(daemon, job_id) == []
    finally:
        daemon.call("DELETE", f"/v1/jobs/{job_id}")
        volume.remove()


def test_the_sidecar_ends_with_the_worker_and_its_loss_is_no_failure_of_the_job(
    daemon: Daemon, docker_client: docker.DockerClient, worker_image: str, job_id: str, secret: str
) -> None:
    go = "while ! [ -e stop ]; do usleep 20000; done; wc -c < /run/secrets/token"
    daemon.submit(id=job_id, image=worker_image, secrets={"token": secret}, command=f"echo started; {go}")
    until(lambda: "started" in said(daemon, job_id), "the worker runs")
    docker_client.containers.get(f"job-{job_id}-sidecar").remove(force=True)
    docker_client.containers.get(f"job-{job_id}-worker").exec_run(["touch", "/workspace/stop"])
    assert daemon.ended(job_id)["status"] == "completed"
    assert said(daemon, job_id)[1] == str(len(secret))
    other = f"{job_id}-other"
    daemon.submit(id=other, image=worker_image, secrets={"token": secret}, command="true")
    assert daemon.ended(other)["status"] == "completed"

    def ended() -> bool:
        return docker_client.containers.get(f"job-{other}-sidecar").status == "exited"

    until(ended, "the sidecar ends")


@pytest.mark.parametrize(
    ("secrets", "field"),
    [
        ({"../x": "v"}, "secrets.../x"),
        ({"": "v"}, "secrets."),
        ({"a/b": "v"}, "secrets.a/b"),
        ({".hidden": "v"}, "secrets..hidden"),
        ({"a": "v" * 70_000}, "secrets.a"),
        ({f"s{n}": "v" for n in range(33)}, "secrets"),
        ({"a": 7}, "secrets"),
    ],
)
def test_invalid_secrets_are_refused_and_not_quoted(
    daemon: Daemon, worker_image: str, job_id: str, secrets: dict[str, Any], field: str
) -> None:
    answer = daemon.call("POST", "/v1/jobs", {"id": job_id, "image": worker_image, "secrets": secrets})
    assert (answer.status, answer.json["field"]) == (400, field)
    assert "vvv" not in answer.json["error"]


def test_jobctl_reads_secrets_from_files(
    daemon: Daemon, worker_image: str, job_id: str, secret: str, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text(secret)
    command = ["sh", "-c", f"wc -c < {NAME}/token"]
    done = daemon.jobctl("run", "--name", job_id, "--secret", f"token={path}", worker_image, *command)
    assert (done.returncode, done.stdout.strip()) == (0, str(len(secret))), done.stderr
    for wrong in (secret, f"token={tmp_path}/none", "=x"):
        refused = daemon.jobctl("run", "--secret", wrong, worker_image)
        assert refused.returncode in (2, 125)
        assert secret not in refused.stderr
