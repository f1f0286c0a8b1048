"""Files of a workspace: a response that ends normally is a complete tar, whatever happens to the files or to the engine's response."""

import http.client
import io
import json
import socket
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import docker
import pytest

from tests.support.daemon import DEADLINE_S, Daemon, remove_all, until
from tests.support.engine.engine_proxy import EngineProxy, Fault

ARCHIVE = r"^GET /v[0-9.]+/containers/[0-9a-f]+/archive"
LEFT = f"left-{uuid.uuid4().hex[:8]}"
WHOLE = 512 + 2 * (512 + 100 * 1024) + 1024
"""The tar of the folder `out`: itself, two files of 100 KiB, the end."""


@pytest.fixture(scope="module")
def proxy(
    tmp_path_factory: pytest.TempPathFactory, docker_client: docker.DockerClient
) -> Iterator[EngineProxy]:
    made = EngineProxy(tmp_path_factory.mktemp("proxy") / "engine.sock")
    yield made
    made.close()


@pytest.fixture(scope="module")
def behind(
    tmp_path_factory: pytest.TempPathFactory, proxy: EngineProxy, worker_image: str
) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path_factory.mktemp("behind"), environ={"DOCKER_HOST": proxy.url}).start()
    fill = "head -c 102400 /dev/zero | tr '\\0' x"
    daemon.submit(id=LEFT, image=worker_image, command=f"mkdir out; {fill} > out/a; {fill} > out/b")
    assert daemon.ended(LEFT)["status"] == "completed"
    yield daemon
    daemon.stop()
    remove_all(daemon)


def get(daemon: Daemon, path: str) -> tuple[int, bytes, bool]:
    """Returns the status, the body and whether the response was complete."""
    at = urlsplit(daemon.http)
    connection = http.client.HTTPConnection(str(at.hostname), at.port, timeout=DEADLINE_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        try:
            return response.status, response.read(), True
        except http.client.IncompleteRead as error:
            return response.status, error.partial, False
    finally:
        connection.close()


def test_a_complete_tar_arrives_complete(behind: Daemon) -> None:
    status, body, is_whole = get(behind, f"/v1/jobs/{LEFT}/files?path=out")
    assert (status, len(body), is_whole) == (200, WHOLE, True)
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        assert sorted(member.name for member in tar) == ["out", "out/a", "out/b"]


KEPT = [0, 1, 300, 512, 1024, 50_000, 512 + 512 + 100 * 1024, WHOLE - 1024, WHOLE - 512, WHOLE - 1]
"""Within a header, at a member's end, within a member, before and within the end."""


@pytest.mark.parametrize("keep", KEPT)
@pytest.mark.parametrize("fault", ["cut", "short"])
def test_a_truncated_tar_of_the_engine_aborts_the_response(
    behind: Daemon, proxy: EngineProxy, fault: Fault, keep: int
) -> None:
    rule = proxy.on(ARCHIVE, fault, keep=keep)
    status, body, is_whole = get(behind, f"/v1/jobs/{LEFT}/files?path=out")
    assert rule.hits == 1
    if status == 200:
        assert not is_whole
        assert len(body) <= keep
    else:
        assert (status, keep) in ((502, 0), (503, 0))
        assert json.loads(body)["code"] in ("files-changed", "engine-unavailable")


@pytest.mark.parametrize("keep", KEPT)
@pytest.mark.parametrize("fault", ["cut", "short"])
def test_jobctl_reports_a_truncated_tar_and_leaves_no_partial_file(
    behind: Daemon, proxy: EngineProxy, tmp_path: Path, fault: Fault, keep: int
) -> None:
    rule = proxy.on(ARCHIVE, fault, keep=keep)
    done = behind.jobctl("cp", f"{LEFT}:out", str(tmp_path / "got"))
    assert rule.hits == 1
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "copy them again" in done.stderr or "engine" in done.stderr, done.stderr
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in left} <= {"a", "b"}
    assert all(path.read_bytes() == b"x" * 102400 for path in left)


@pytest.mark.parametrize("keep", [1024, WHOLE - 1024])
def test_jobctl_reports_a_truncated_tar_on_its_output_too(
    behind: Daemon, proxy: EngineProxy, keep: int
) -> None:
    proxy.on(ARCHIVE, "short", keep=keep)
    done = behind.jobctl("cp", f"{LEFT}:out", "-", errors="replace")
    assert done.returncode != 0
    assert "copy them again" in done.stderr


def read_out(response: http.client.HTTPResponse) -> int:
    read = 0
    while piece := response.read(1 << 20):
        read += len(piece)
    return read


def test_a_file_that_shrinks_while_it_is_read_aborts_the_response(daemon: Daemon, job_id: str) -> None:
    """The engine itself ends such a response normally, with a tar that is truncated within the file."""
    # While the engine reads, it handles no other call for the container: the job learns over the network when to begin.
    with socket.create_server(("0.0.0.0", 0)) as server:
        server.settimeout(DEADLINE_S)
        heard = f"nc host.docker.internal {server.getsockname()[1]} </dev/null"
        command = f"truncate -s 500000000 large; touch made; {heard}; : > large; {heard}"
        daemon.submit(id=job_id, image="busybox:latest", command=command)
        waiting, _ = server.accept()
        at = urlsplit(daemon.http)
        connection = http.client.HTTPConnection(str(at.hostname), at.port, timeout=DEADLINE_S)
        try:
            connection.request("GET", f"/v1/jobs/{job_id}/files?path=large")
            response = connection.getresponse()
            assert response.status == 200
            # The engine still has to read far more than all buffers on the way can contain.
            assert len(response.read(65536)) == 65536
            waiting.close()
            server.accept()[0].close()
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                read_out(response)
        finally:
            connection.close()
    assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 204


def test_changing_files_arrive_complete_or_the_response_is_aborted(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon().start()
    one = "(while :; do head -c 3000000 /dev/zero | tr '\\0' x > d/f%d; : > d/f%d; done) &"
    command = "mkdir d; " + " ".join(one % (n, n) for n in range(3)) + " wait"
    daemon.submit(id=job_id, image=worker_image, command=command, cpu=0.5)  # the loops never rest
    path = f"/v1/jobs/{job_id}/files?path=d"
    until(lambda: get(daemon, path)[0] == 200, "the folder is there")
    for _ in range(40):
        status, body, is_whole = get(daemon, path)
        if status == 200 and is_whole:
            with tarfile.open(fileobj=io.BytesIO(body)) as tar:
                for member in tar:
                    if file := tar.extractfile(member):
                        assert len(file.read()) == member.size
            assert body[-1024:] == bytes(1024)
    assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 204
