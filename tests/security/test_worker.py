"""A hostile worker: each attack as a whole job, and the effects that it must not have. Rows: see README.md."""

import io
import json
import os
import socket
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.daemon import Daemon, Receiver, until
from tests.support.wire import streaming

DUMPED = "root:x:", "root:*:", "root::"
"""The first bytes of /etc/passwd and /etc/shadow in the images here."""


def after_job(id: str, type: str, source: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "type": type, "in": source, "depends": "job", **more}


def test_outputs_that_are_links_reveal_nothing(run: Any, receiver: Receiver, job_id: str) -> None:
    targets = {
        "environ": "/proc/self/environ",
        "shadow": "/etc/shadow",
        "passwd": "../etc/passwd",
        "up": "../../../../etc/passwd",
        "fd": "/proc/self/fd/0",
        "root": "/",
        "dots": "..",
        "self": "self",
    }
    links = "; ".join(f"ln -s {target} {name}" for name, target in targets.items())
    put = f"http://host.docker.internal:{receiver.port}/{job_id}-put"
    outputs = [
        *(after_job(f"read-{name}", "read", name) for name in targets),
        *(after_job(f"put-{name}", "upload", name, out=put) for name in targets),
        *(after_job(f"list-{name}", "list", name) for name in ("root", "dots", "self")),
        after_job("through-root", "read", "root/etc/shadow"),
        after_job("through-dots", "upload", "dots/etc/passwd", out=put),
        after_job("pack-through", "archive", "root/etc", out="etc.tgz"),
        after_job("pack-link", "archive", "shadow", out="shadow.tgz"),
        after_job("onto-link", "archive", "real", out="root/tmp/evil.tgz"),
        after_job("good", "read", "real/file"),
    ]
    ran = run(command=f"mkdir real; echo fine > real/file; {links}", artifacts=outputs)
    assert (ran.view["status"], ran.view["reason"]) == ("failed", "output-failed")
    results = ran.artifacts
    assert results.pop("good")["content"] == "fine\n"
    assert {id: r["status"] for id, r in results.items()} == dict.fromkeys(results, "failed")
    assert not [r for r in results.values() if "content" in r]
    assert not [text for text in DUMPED if text in json.dumps(ran.events)]
    assert receiver.raw(f"/{job_id}-put") == []


def test_a_hostile_workspace_is_fetched_without_harm(
    run: Any, daemon: Daemon, job_id: str, tmp_path: Path
) -> None:
    """The API sends links as links in a tar; jobctl extracts only files."""
    run(
        command="ln -s /etc/shadow shadow; ln -s .. up; mkdir d; ln -s ../../canary d/canary; mkfifo fifo;"
        "mknod null c 1 3; echo fine > file; ln -s d e; chmod 4755 file"
    )
    tar = daemon.call("GET", f"/v1/jobs/{job_id}/files?path=.").body
    assert not [text for text in DUMPED if text.encode() in tar]
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        assert archive.getmember("workspace/shadow").issym()
    (tmp_path / "canary").write_text("canary")
    fetched = tmp_path / "into"
    fetched.mkdir()
    done = daemon.jobctl("cp", f"{job_id}:.", str(fetched))
    assert (tmp_path / "canary").read_text() == "canary"
    found = [path for path in fetched.rglob("*") if not path.is_dir() or path.is_symlink()]
    assert [path.name for path in found] == ["file"], done.stderr
    assert found[0].stat().st_mode & 0o7000 == 0
    for name in ("fifo", "null", "shadow"):
        # The engine sends no content of these, whatever their targets are.
        part = daemon.call("GET", f"/v1/jobs/{job_id}/files?path={name}")
        assert not [text for text in DUMPED if text.encode() in part.body]


def test_an_output_must_be_a_regular_file(run: Any, receiver: Receiver, job_id: str) -> None:
    put = f"http://host.docker.internal:{receiver.port}/{job_id}-put"
    kinds = ("fifo", "sock", "null", "zero")
    outputs = [
        *(after_job(f"read-{kind}", "read", kind) for kind in kinds),
        *(after_job(f"put-{kind}", "upload", kind, out=put) for kind in kinds),
        *(after_job(f"pack-{kind}", "archive", kind, out=f"{kind}.tgz") for kind in kinds),
        after_job("pack-all", "archive", ".", out="all.tgz"),
        after_job("list", "list", "."),
    ]
    ran = run(
        command="mkfifo fifo; ln -s /workspace/sock /dev/log; syslogd; mknod null c 1 3; mknod zero c 1 5;"
        "while ! [ -S sock ]; do usleep 1000; done; kill -9 -1",
        artifacts=outputs,
    )
    results = ran.artifacts
    assert results.pop("list")["content"] == sorted(kinds)
    assert {id: r["status"] for id, r in results.items()} == dict.fromkeys(results, "failed")
    assert "FIFO" in results["read-fifo"]["error"]
    assert receiver.raw(f"/{job_id}-put") == []


def test_a_sparse_terabyte_is_refused_and_fills_no_disk(
    run: Any, daemon: Daemon, job_id: str, tmp_path: Path
) -> None:
    free = free_bytes(tmp_path)
    outputs = [
        after_job("read", "read", "giant"),
        after_job("pack", "archive", "giant", out="giant.tgz"),
        after_job("pack-all", "archive", ".", out="all.tgz"),
        after_job("list", "list", "."),
    ]
    ran = run(command="truncate -s 1099511627776 giant", artifacts=outputs)
    results = ran.artifacts
    assert results["list"]["content"] == ["giant"]
    assert [results[id]["status"] for id in ("read", "pack", "pack-all")] == ["failed"] * 3
    with streaming(daemon, f"/v1/jobs/{job_id}/files?path=giant") as _:
        pass  # a client that requests all of it and disconnects
    assert daemon.call("GET", "/livez").status == 200
    assert free - free_bytes(tmp_path) < 1 << 30


def test_a_sparse_terabyte_is_not_copied_out_by_accident(run: Any, daemon: Daemon, tmp_path: Path) -> None:
    ran = run(command="truncate -s 8796093022208 giant; truncate -s 64M small; echo end >> small")
    free = free_bytes(tmp_path)
    refused = daemon.jobctl("cp", f"{ran.id}:giant", str(tmp_path / "giant"))
    assert refused.returncode == 1
    assert "'giant' has 8.0 TiB" in refused.stderr
    assert not (tmp_path / "giant").exists()
    assert free - free_bytes(tmp_path) < 1 << 28
    assert daemon.jobctl("cp", "--max-size", "10m", f"{ran.id}:small", f"{tmp_path}/").returncode == 1
    assert daemon.jobctl("cp", "--max-size", "100m", f"{ran.id}:small", f"{tmp_path}/").returncode == 0
    made = (tmp_path / "small").stat()
    assert made.st_size == (64 << 20) + 4
    assert made.st_blocks * 512 < 1 << 20
    fetched = daemon.jobctl(
        "run", "--out", f"giant={tmp_path}/", "--sh", "truncate -s 8796093022208 giant", ran.view["image"]
    )
    assert fetched.returncode == 122
    assert "'giant' has 8.0 TiB" in fetched.stderr


def free_bytes(path: Path) -> int:
    facts = os.statvfs(path)
    return facts.f_bavail * facts.f_frsize


def test_very_many_files_are_counted_but_not_kept_in_memory(run: Any) -> None:
    outputs = [
        after_job("list", "list", "many"),
        after_job("some", "list", "many", excludes=["[1-9]*"]),
        after_job("pack", "archive", "many", out="many.tgz"),
    ]
    ran = run(command="mkdir many; cd many; seq 11000 | xargs touch; touch 0", memory=128, artifacts=outputs)
    results = ran.artifacts
    assert results["list"]["status"] == "failed"
    assert "more than 10000 entries" in results["list"]["error"]
    assert results["some"]["content"] == ["0"]
    assert results["pack"]["status"] == "success"


def test_too_long_names_fail_only_their_artifact(run: Any) -> None:
    name = "n" * 250
    outputs = [
        after_job("list", "list", "."),
        after_job("flat", "list", ".", recursive=False),
        after_job("pack", "archive", name, out="deep.tgz"),
        after_job("good", "read", "file"),
    ]
    deep = f"i=0; while [ $i -lt 20 ]; do mkdir {name}; cd {name}; i=$((i+1)); done; touch end"
    ran = run(command=f"echo fine > file; {deep}", artifacts=outputs)
    results = ran.artifacts
    assert results["flat"]["content"] == ["file", f"{name}/"]
    assert results["good"]["content"] == "fine\n"
    for id in ("list", "pack"):
        assert results[id]["status"] == "failed", results[id]
        assert "is not a valid path" in results[id]["error"]
        assert len(results[id]["error"]) < 20_000


def test_a_fork_bomb_stays_within_its_limit_and_ends_with_its_job(
    daemon: Daemon, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    """The bomb has at most two hundred processes, so that the machine survives if the limit is missing.

    The script starts its own processes first: beside the bomb the limit allows no other process.
    """
    bomb = "(i=0; while [ $i -lt 200 ]; do sleep 60 & i=$((i+1)); done) 2>/dev/null"
    bomb = f"sleep 3 & fuse=$!; {bomb} & wait $fuse; exit 5"
    daemon.submit(id=job_id, image=worker_image, pids=24, cpu=0.5, command=bomb)
    container = until(
        lambda: next(iter(docker_client.containers.list(filters={"name": f"job-{job_id}-worker"})), None),
        "the worker runs",
    )
    peak = 0
    while daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] in ("accepted", "running"):
        try:
            peak = max(peak, len(container.top(ps_args="-o pid")["Processes"] or ()))
        except docker.errors.APIError:
            break  # over
    assert daemon.ended(job_id)["exitCode"] == 5
    assert 12 <= peak <= 24
    assert daemon.call("GET", "/readyz").status == 200
    container.reload()
    assert container.attrs["State"]["Pid"] == 0


def test_a_job_does_not_reach_the_daemon_the_engine_or_another_job(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    """The network itself works: the job reaches a listener on all addresses of this machine."""
    other = f"{job_id}-other"
    daemon.submit(
        id=other, image=worker_image, command="echo inside > index.html; echo up; exec httpd -f -p 8080"
    )
    until(lambda: daemon.log_lines(other), "the other job serves")
    network = network_of(docker_client, f"job-{other}-worker")
    until(lambda: answers(network["IPAddress"], 8080), "the other job answers this machine")
    port, metrics = daemon.http.rpartition(":")[2], daemon.metrics.removesuffix("/metrics").rpartition(":")[2]
    hosts = ("$host", network["Gateway"], "127.0.0.1", "0.0.0.0")
    command = (
        # A static busybox resolves no names, so the test looks up the host's address.
        "host=$(awk '$2 == \"host.docker.internal\" {print $1}' /etc/hosts);"
        # A connection counts: a server may close a silent connection.
        "try() { nc -w 3 $1 $2 </dev/null >/dev/null 2>&1 && echo reached $3; };"
        f"try $host {receiver.port} control;"
        + "".join(f"try {host} {at} {host}:{at}; " for host in hosts for at in (port, metrics))
        + f"try {network['IPAddress']} 8080 neighbour;"
        "ls /var/run/docker.sock /run/docker.sock /run/jobd 2>/dev/null; find / -xdev -name '*.sock' 2>/dev/null; echo end"
    )
    daemon.submit(id=job_id, image=worker_image, command=command)
    view = daemon.ended(job_id)
    said = [frame["line"] for frame in daemon.log_lines(job_id) if "line" in frame]
    daemon.call("DELETE", f"/v1/jobs/{other}")
    assert view["status"] == "completed"
    assert said == ["reached control", "end"]


def network_of(client: docker.DockerClient, name: str) -> dict[str, Any]:
    """The addresses of a container: its own, or those of the sandbox that the container has joined."""
    attrs = client.containers.get(name).attrs
    mode: str = attrs["HostConfig"]["NetworkMode"]
    if mode.startswith("container:"):
        attrs = client.containers.get(mode.removeprefix("container:")).attrs
    network: dict[str, Any] = next(iter(attrs["NetworkSettings"]["Networks"].values()))
    return network


def answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=5) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return sock.recv(100) != b""
    except OSError:
        return False


@pytest.fixture
def planted(docker_client: docker.DockerClient, worker_image: str) -> Iterator[str]:
    tag = f"jobd-test-{uuid.uuid4().hex[:10]}:1"
    lines = (
        f"FROM {worker_image}\nRUN mkdir -p /workspace/d && ln -s /etc/shadow /workspace/out &&"
        " ln -s /etc /workspace/etc && echo planted > /workspace/d/file"
    )
    docker_client.images.build(fileobj=io.BytesIO(lines.encode()), tag=tag, rm=True)
    yield tag
    docker_client.images.remove(tag, force=True)


def test_an_image_cannot_plant_links_in_the_workspace(run: Any, planted: str) -> None:
    outputs = [
        {"id": "in", "type": "write", "in": "given", "out": "etc/hosts"},
        after_job("list", "list", "."),
        after_job("out", "read", "out"),
        after_job("hosts", "read", "etc/hosts"),
    ]
    ran = run(image=planted, command="ls -a > seen; cat etc/hosts", artifacts=outputs)
    results = ran.artifacts
    assert results["list"]["content"] == ["etc/", "etc/hosts", "seen"]
    assert results["out"]["status"] == "failed"
    assert results["hosts"]["content"] == "given"
