"""Hostile and broken clients: slow bodies, another user of this machine, a DELETE in any phase. Rows: README.md."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from aiohttp import web

from jobd.api import body as body_module
from jobd.api.middleware import each_request
from tests.support.daemon import Daemon, Receiver, until

NOBODY = 65534
PROBE = """
import socket, sys
try:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(sys.argv[1])
    print("connected")
except OSError as error:
    print(error.strerror)
for path in sys.argv[2:]:
    try:
        print(len(open(path, "rb").read()))
    except OSError as error:
        print(error.strerror)
"""


@pytest.fixture
def readable_folder() -> Iterator[Path]:
    """A folder that any user may enter, so that only jobd itself keeps other users out."""
    folder = Path(tempfile.mkdtemp(prefix="jobd-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_cannot_use_the_socket_or_read_the_state(readable_folder: Path, job_id: str) -> None:
    before = os.umask(0)  # the least restrictive umask
    try:
        daemon = Daemon(readable_folder, environ={"DOCKER_HOST": "unix:///nonexistent"}, flags=()).start()
    finally:
        os.umask(before)
    try:
        state = daemon.folder / "state"
        key = (state / "api-key").read_text().strip()
        headers = {"Authorization": f"Bearer {key}"}
        spec = {"id": job_id, "image": "busybox", "callback": {"url": "http://127.0.0.1:9/", "key": "x" * 30}}
        assert daemon.call("POST", "/v1/jobs", spec, headers).status == 202
        assert state.stat().st_mode & 0o777 == 0o700
        for path in (daemon.socket, *(path for path in state.rglob("*") if path.is_file())):
            assert path.stat().st_mode & 0o077 == 0, path
        state.chmod(0o755)  # each file must be private itself
        asked = [str(daemon.socket), str(state / "api-key"), *(str(path) for path in state.glob("jobd.db*"))]
        assert probe(asked, os.geteuid())[0] == "connected"
        denied = probe(asked, NOBODY)
        assert denied == ["Permission denied"] * len(asked)
    finally:
        daemon.stop()


def probe(paths: list[str], uid: int) -> list[str]:
    done = subprocess.run(
        [shutil.which("python3", path="/usr/bin:/bin") or sys.executable, "-I", "-c", PROBE, *paths],
        user=uid,
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    return done.stdout.splitlines()


async def test_a_slow_body_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit applies to the whole body: single bytes do not extend it."""
    monkeypatch.setattr(body_module, "READ_LIMIT_S", 0.3)

    async def take(request: web.Request) -> web.Response:
        return web.Response(body=await body_module.read_json_bytes(request))

    app = web.Application(middlewares=[each_request()])
    app.router.add_post("/", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection("127.0.0.1", runner.addresses[0][1])

    async def drip() -> None:
        while True:
            writer.write(b"1\r\n \r\n")
            await asyncio.sleep(0.01)

    writer.write(
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    dripping = asyncio.create_task(drip())
    try:
        async with asyncio.timeout(60):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400 ")
            assert b"body-too-slow" in await reader.read(1000)
    finally:
        dripping.cancel()
        writer.close()
        await runner.cleanup()


@pytest.mark.parametrize(
    ("site", "dest", "status"),
    [
        ("cross-site", "image", 403),
        ("cross-site", "iframe", 403),
        ("same-site", "script", 403),
        ("cross-site", "", 403),
        ("cross-site", "document", 200),
        ("none", "document", 200),
        ("same-origin", "empty", 200),
    ],
)
def test_requests_of_pages_without_origin_are_refused_by_fetch_metadata(
    daemon: Daemon, site: str, dest: str, status: int
) -> None:
    """Requests for images, scripts and frames have no Origin. If a user follows a link, only that user sees the response."""
    for path in ("/v1/jobs", "/livez"):
        answer = daemon.call("GET", path, headers={"Sec-Fetch-Site": site, "Sec-Fetch-Dest": dest})
        assert answer.status == status


class Silence:
    """Accepts connections and never responds: as a registry, a source and a receiver it makes a phase last."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("0.0.0.0", 0), backlog=64)
        self.port = int(self._socket.getsockname()[1])

    def url(self) -> str:
        return f"http://host.docker.internal:{self.port}/x"

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def silence() -> Iterator[Silence]:
    made = Silence()
    yield made
    made.close()


PHASES = ("queued", "pulling", "inputs", "running", "outputs", "done")


@pytest.mark.parametrize("phase", PHASES)
def test_a_job_is_deleted_in_any_phase(
    make_daemon: Callable[..., Daemon],
    docker_client: docker.DockerClient,
    receiver: Receiver,
    silence: Silence,
    worker_image: str,
    job_id: str,
    phase: str,
) -> None:
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "1"}).start()
    if phase == "queued":
        daemon.submit(id=f"{job_id}-first", image=worker_image, command="exec sleep 60")
    spec: dict[str, Any] = {"id": job_id, "image": worker_image, "command": "true"}
    match phase:
        case "pulling":
            spec["image"] = f"127.0.0.1:{silence.port}/none:1"
        case "inputs":
            spec["artifacts"] = [{"id": "a", "type": "download", "in": silence.url(), "out": "x"}]
        case "running":
            spec["command"] = "trap '' TERM; while :; do sleep 1; done"
        case "outputs":
            spec["command"] = "echo x > x"
            spec["artifacts"] = [
                {"id": "a", "type": "upload", "in": "x", "out": silence.url(), "depends": "job"}
            ]
    path = f"/{job_id}"
    daemon.submit(**spec, callback={"url": receiver.url(path)})
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json.get("phase") == phase, f"phase {phase}")
    assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 204
    assert daemon.call("GET", f"/v1/jobs/{job_id}").status == 404
    events = receiver.complete(path)
    assert [e["type"] for e in events].count("orchestrator.job.complete") == 1
    assert events[-1]["data"]["status"] == ("completed" if phase == "done" else "cancelled")

    def gone() -> bool:
        wanted: Any = {"label": f"job.id={job_id}"}
        return not docker_client.api.containers(all=True, filters=wanted) and not (
            docker_client.volumes.list(filters=wanted)
        )

    until(gone, "nothing of the job is left")
    if phase == "queued":
        assert daemon.call("DELETE", f"/v1/jobs/{job_id}-first").status == 204
    again = {"id": job_id, "image": worker_image, "command": "true"}
    until(lambda: daemon.call("POST", "/v1/jobs", again).status == 202, "the id is free again")
    assert daemon.ended(job_id)["status"] == "completed"
