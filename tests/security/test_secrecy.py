"""The places of secrets while a job runs, searched byte by byte: the engine's views, logs, the disk, responses.

| secret | may be in |
|---|---|
| callback key | database (jobd signs pending events with it, also after a restart) |
| presigned URLs of downloads and uploads | database (jobd may have to send the order to a sidecar again) |
| values of `environment` | database, the worker's `docker inspect` and its own processes, as any environment variable |
| the API key | its own file |
"""

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.daemon import Daemon, Receiver, until


@dataclass(frozen=True)
class Secrets:
    """Each secret is a word that is nowhere else on this machine."""

    callback_key: str
    source_signature: str
    target_signature: str
    password: str
    variable: str
    api_key: str

    def of_the_job(self) -> dict[str, str]:
        return {
            n: getattr(self, n) for n in ("callback_key", "source_signature", "target_signature", "password")
        }


def found_in(text: bytes, secrets: dict[str, str]) -> list[str]:
    return [name for name, secret in secrets.items() if secret.encode() in text]


@pytest.fixture(params=["proxy", "direct"])
def keyed(request: pytest.FixtureRequest, make_daemon: Callable[..., Daemon], worker_image: str) -> Daemon:
    """A daemon that requires its key and logs everything, in both modes of callbacks."""
    environ = {"LOG_LEVEL": "debug", **({"CALLBACK_PROXY_URL": ""} if request.param == "direct" else {})}
    return make_daemon(environ=environ, flags=(), is_executed=True).start()


def test_secrets_of_a_job_are_nowhere_but_where_they_must_be(
    keyed: Daemon,
    docker_client: docker.DockerClient,
    receiver: Receiver,
    worker_image: str,
    job_id: str,
) -> None:
    daemon = keyed
    api_key = (daemon.folder / "state" / "api-key").read_text().strip()
    secrets = Secrets(word(), word(), word(), word(), word(), api_key)
    headers = {"Authorization": f"Bearer {api_key}"}
    at = f"http://user:{secrets.password}@host.docker.internal:{receiver.port}/{job_id}"
    spec = {
        "id": job_id,
        "image": worker_image,
        "command": "echo out > out; echo started; while ! [ -e stop ]; do usleep 20000; done; cat stop",
        "environment": {"TOKEN": secrets.variable},
        "artifacts": [
            {"id": "w", "type": "write", "in": "in", "out": "in"},
            {"id": "put", "type": "upload", "in": "out", "out": f"{at}-put?sig={secrets.target_signature}", "depends": "job"},
            {"id": "missing", "type": "upload", "in": "none", "out": f"{at}-no?sig={secrets.target_signature}",
             "depends": "job", "optional": True},
        ],
        "callback": {"url": receiver.url(f"/{job_id}"), "key": secrets.callback_key},
    }  # fmt: skip
    failing = {
        **spec,
        "id": f"{job_id}-failing",
        "artifacts": [
            {"id": "get", "type": "download", "out": "x",
             "in": f"http://user:{secrets.password}@host.docker.internal:9/x?sig={secrets.source_signature}"},
        ],
        "callback": {"url": f"http://user:{secrets.password}@127.0.0.1:9/?sig={secrets.target_signature}",
                     "key": secrets.callback_key},
    }  # fmt: skip
    answers: list[bytes] = []

    def call(method: str, path: str, body: Any = None) -> Any:
        answer = daemon.call(method, path, body, headers)
        answers.append(answer.body)
        return answer

    for one in (spec, failing):
        assert call("POST", "/v1/jobs", one).status == 202
    started = {"line": "started"}.items()
    until(
        lambda: any(
            started <= json.loads(line).items() for line in lines(call("GET", f"/v1/jobs/{job_id}/logs").body)
        ),
        "the worker says that it runs",
    )
    containers = {
        role: docker_client.containers.get(f"job-{job_id}-{role}") for role in ("worker", "sidecar")
    }
    of_the_job = {**secrets.of_the_job(), "api_key": api_key}
    inspected = {role: json.dumps(container.attrs).encode() for role, container in containers.items()}
    assert found_in(inspected["worker"], of_the_job) == []
    assert found_in(inspected["sidecar"], {**of_the_job, "variable": secrets.variable}) == []
    assert secrets.variable.encode() in inspected["worker"]  # as with any environment variable
    listed = json.dumps(docker_client.api.containers(all=True)) + json.dumps(docker_client.api.volumes())
    assert found_in(listed.encode(), {**of_the_job, "variable": secrets.variable}) == []
    # `ps` of the whole machine, with the environments of containers, jobd and their child processes.
    shown = b"".join(processes())
    assert found_in(shown, of_the_job) == []
    stop = ["sh", "-c", "echo stopped > /workspace/stop"]
    containers["worker"].exec_run(stop)

    def ended(id: str) -> bool:
        return call("GET", f"/v1/jobs/{id}").json["status"] in ("completed", "failed")

    until(lambda: ended(job_id) and ended(f"{job_id}-failing"), "both have ended")
    assert call("GET", f"/v1/jobs/{job_id}").json["status"] == "completed"
    assert receiver.complete(f"/{job_id}")
    assert receiver.raw(f"/{job_id}-put?sig={secrets.target_signature}")
    # jobd records the error of a callback without a receiver.
    until(
        lambda: any(
            d.get("lastError")
            for d in call("GET", f"/v1/jobs/{job_id}-failing/deliveries").json["deliveries"]
        ),
        "a delivery has failed",
    )
    duplicate = call("POST", "/v1/jobs", spec)
    assert duplicate.status == 409
    wrong = call("POST", "/v1/jobs", {**spec, "id": f"{job_id}-wrong", "cpu": -1})
    assert wrong.status == 400
    for path in ("", "/logs", "/deliveries"):
        call("GET", f"/v1/jobs/{job_id}{path}")
    call("GET", "/v1/events")
    call("GET", "/v1/jobs")
    call("GET", "/v1/version")
    everything = {**of_the_job, "variable": secrets.variable}
    assert found_in(b"\n".join(answers), everything) == []
    for _, body in receiver.raw(f"/{job_id}"):
        assert found_in(body, everything) == []
    for container in (*containers.values(), docker_client.containers.get(f"job-{job_id}-failing-sidecar")):
        assert found_in(container.logs(), everything) == []
    assert found_in(daemon.log.read_bytes(), everything) == []
    metrics = daemon.metrics.removesuffix("/metrics")
    assert found_in(Daemon.call(_at(daemon, metrics), "GET", "/metrics").body, everything) == []
    assert daemon.stop() == 0
    on_disk = {path.name: path.read_bytes() for path in files(daemon.folder / "state")}
    holders = {name: found_in(data, everything) for name, data in on_disk.items()}
    assert holders.pop("api-key") == ["api_key"]
    assert not [name for name, held in holders.items() if "api_key" in held]
    assert {name for name, held in holders.items() if held} <= {"jobd.db", "jobd.db-wal"}


def word() -> str:
    return f"sEcReT{uuid.uuid4().hex}"


def lines(body: bytes) -> list[bytes]:
    return [line for line in body.splitlines() if line]


def processes() -> Iterator[bytes]:
    """Command lines of all processes, and environments of all but the worker's own shell, which must have the variable."""
    yield subprocess.run(["ps", "axww"], capture_output=True, check=True).stdout
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield (folder / "cmdline").read_bytes()
            yield (folder / "environ").read_bytes()
        except OSError:
            continue  # it has just ended


def files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _at(daemon: Daemon, http: str) -> Daemon:
    return Daemon(daemon.folder, http=http)
