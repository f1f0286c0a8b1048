"""Options of a worker beyond the defaults: a read-only root, fewer capabilities, more capabilities if jobd allows them."""

import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.daemon import Daemon
from tests.support.wire import multipart

TRIES = (
    "touch /root/x /etc/x /x 2>/dev/null; ls /root/x /etc/x /x 2>/dev/null;"
    "echo a > /tmp/t && cat /tmp/t; echo b > w && cat w; id -u"
)


@pytest.mark.parametrize("user", [None, "1234:1234"])
@pytest.mark.parametrize("files", [False, True])
@pytest.mark.parametrize("workspace", ["/workspace", "/tmp"])
def test_a_read_only_worker_can_write_only_to_workspace_and_tmp(
    daemon: Daemon, worker_image: str, job_id: str, user: str | None, files: bool, workspace: str
) -> None:
    spec = {
        "id": job_id,
        "image": worker_image,
        "readOnly": True,
        "workspace": workspace,
        "command": f"[ -e d/given ] && cat d/given && echo c >> d/given; {TRIES}",
        **({"user": user} if user else {}),
    }
    body, headers = json.dumps(spec).encode(), {"Content-Type": "application/json"}
    if files:
        body, headers = multipart(("spec", body), ("files", tar_of("d/given", b"given\n")))
    assert daemon.call("POST", "/v1/jobs", body, headers).status == 202
    view = daemon.ended(job_id)
    said = [frame["line"] for frame in daemon.log_lines(job_id) if "line" in frame]
    assert view["status"] == "completed", (view, said)
    assert said == [*(["given"] if files else []), "a", "b", (user or "0").partition(":")[0]]


def test_without_read_only_the_worker_can_write_to_its_root(
    daemon: Daemon, worker_image: str, job_id: str
) -> None:
    daemon.submit(id=job_id, image=worker_image, command=TRIES)
    daemon.ended(job_id)
    said = [frame["line"] for frame in daemon.log_lines(job_id) if "line" in frame]
    assert said[:3] == ["/etc/x", "/root/x", "/x"]


@pytest.mark.parametrize("workspace", ["/app", "/usr/lib", "/tmp", "/run/secrets"])
def test_a_workspace_hides_nothing_from_the_sidecar(run: Any, worker_image: str, workspace: str) -> None:
    """Whatever the path of the workspace: the worker cannot replace the sidecar's own programs through it."""
    artifacts = [
        {"id": "in", "type": "write", "in": "given", "out": "in"},
        {"id": "out", "type": "read", "in": "out", "depends": "job"},
    ]
    ran = run(workspace=workspace, command="pwd > out; cat in >> out", artifacts=artifacts)
    assert ran.view["status"] == "completed", ran.view
    assert ran.artifacts["out"]["content"] == f"{workspace}\ngiven"


def tar_of(name: str, content: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


def effective(daemon: Daemon, job_id: str, **spec: Any) -> int:
    daemon.submit(id=job_id, command="grep CapEff /proc/self/status", **spec)
    daemon.ended(job_id)
    return int(daemon.log_lines(job_id)[0]["line"].split()[1], 16)


def test_capabilities_are_dropped(daemon: Daemon, worker_image: str, job_id: str) -> None:
    by_default = effective(daemon, f"{job_id}-1", image=worker_image)
    setuid = 1 << 7
    assert by_default & setuid
    assert effective(daemon, f"{job_id}-2", image=worker_image, capDrop=["SETUID"]) == by_default & ~setuid
    assert effective(daemon, f"{job_id}-3", image=worker_image, capDrop=["ALL"]) == 0


def test_capabilities_are_added_only_with_the_setting(
    daemon: Daemon, make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    spec = {"id": job_id, "image": worker_image, "command": "true", "capAdd": ["SYS_TIME"]}
    for query in ("", "?dryRun=1"):
        answer = daemon.call("POST", f"/v1/jobs{query}", spec)
        assert (answer.status, answer.json["field"]) == (400, "capAdd")
        assert "ALLOW_CAP_ADD" in answer.json["error"]
    assert daemon.call("GET", f"/v1/jobs/{job_id}").status == 404
    willing = make_daemon(flags=("--no-auth", "--allow-cap-add")).start()
    assert effective(willing, job_id, image=worker_image, capAdd=["SYS_TIME"], capDrop=["ALL"]) == 1 << 25


def test_jobctl_has_flags_for_the_worker_options(daemon: Daemon, worker_image: str, job_id: str) -> None:
    done = daemon.jobctl(
        "run", "--name", job_id, "--read-only", "--cap-drop", "cap_setuid,all", worker_image,
        "sh", "-c", "grep CapEff /proc/self/status; touch /x",
    )  # fmt: skip
    assert done.returncode == 1
    assert int(done.stdout.split()[1], 16) == 0
    assert "Read-only" in done.stderr
