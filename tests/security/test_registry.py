"""Passwords of private registries: jobd sends each through the engine to its own registry, and nowhere else.

The registries listen on loopback. The test's own Docker configuration has the password in `auths` or in a credential helper.
"""

import base64
import contextlib
import json
import os
import stat
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import ImageNotFound

from tests.support.daemon import Daemon, Receiver, until
from tests.support.engine.private_registry import PrivateRegistry

USER = "robot"


def forms(password: str) -> list[bytes]:
    """The password itself, and its base64 for each of the three alignments."""
    plain = password.encode()
    inside = [base64.b64encode(b"\0" * shift + plain)[4 * (shift > 0) : -4] for shift in range(3)]
    return [plain, *inside]


def holds(text: bytes, password: str) -> bool:
    return any(form in text for form in forms(password))


def test_the_search_finds_secrets_in_base64() -> None:
    for begin in ("", "a", "ab", "abc"):
        assert holds(
            base64.b64encode(f"{begin}p4ssw0rd-of-some-length-z".encode()), "p4ssw0rd-of-some-length"
        )


@pytest.fixture
def password() -> str:
    return f"sEcReT{uuid.uuid4().hex}"


Serve = Callable[[str], PrivateRegistry]


@pytest.fixture
def serve(docker_client: docker.DockerClient) -> Iterator[Serve]:
    made: list[PrivateRegistry] = []

    def go(password: str) -> PrivateRegistry:
        made.append(PrivateRegistry(docker_client, USER, password))
        return made[-1]

    yield go
    for registry in made:
        registry.close()
        with contextlib.suppress(ImageNotFound):
            docker_client.images.remove(registry.image, force=True)


def helper(folder: Path, script: str) -> None:
    """Writes a credential helper `test` into the folder."""
    path = folder / "docker-credential-test"
    path.write_text(f"#!/bin/sh\nread -r server\n{script}\n")
    path.chmod(0o700)


def configured(how: str, folder: Path, registry: PrivateRegistry, password: str) -> dict[str, str]:
    """Writes a Docker configuration with the registry's password; returns the environment variables for it."""
    folder.mkdir()
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    config: dict[str, Any] = {
        "auths": {"auths": {registry.address: {"auth": auth}}},
        "helper": {"credHelpers": {registry.address: "test"}},
        "store": {"credsStore": "test"},
    }
    (folder / "config.json").write_text(json.dumps(config[how]))
    answer = json.dumps({"ServerURL": registry.address, "Username": USER, "Secret": password})
    (folder / "answer").write_text(answer)
    helper(
        folder,
        f'if [ "$1 $server" = "get {registry.address}" ]; then cat {folder}/answer;\n'
        'else echo "credentials not found in native keychain"; exit 1; fi',
    )
    (folder / "answer").chmod(stat.S_IRUSR)
    return {"DOCKER_CONFIG": str(folder), "PATH": f"{folder}:{os.environ['PATH']}", "LOG_LEVEL": "debug"}


def everywhere(daemon: Daemon, client: docker.DockerClient, job_id: str) -> dict[str, bytes]:
    """Everything visible of a job and of the machine, by the name of the place."""
    places = {
        "containers": json.dumps(client.api.containers(all=True)).encode(),
        "volumes": json.dumps(client.api.volumes()).encode(),
        "images": json.dumps(client.api.images(all=True)).encode(),
        "ps": subprocess.run(["ps", "axeww"], capture_output=True, check=True).stdout,
        "log": daemon.log.read_bytes(),
        "metrics": Daemon(daemon.folder, http=daemon.metrics.removesuffix("/metrics"))
        .call("GET", "/metrics")
        .body,
    }
    for role in ("worker", "sidecar"):
        with contextlib.suppress(docker.errors.NotFound):
            container = client.containers.get(f"job-{job_id}-{role}")
            places[f"inspect {role}"] = json.dumps(container.attrs).encode()
            places[f"output {role}"] = container.logs()
    for part in ("", "/logs", "/deliveries"):
        places[f"answer {part}"] = daemon.call("GET", f"/v1/jobs/{job_id}{part}").body
    places["events"] = daemon.call("GET", "/v1/events").body
    for path in (daemon.folder / "state").rglob("*"):
        if path.is_file():
            places[f"state {path.name}"] = path.read_bytes()
    return places


@pytest.mark.parametrize("how", ["auths", "helper", "store"])
def test_a_registrys_password_goes_to_it_and_nowhere_else(
    make_daemon: Callable[..., Daemon],
    docker_client: docker.DockerClient,
    receiver: Receiver,
    serve: Serve,
    password: str,
    job_id: str,
    tmp_path: Path,
    how: str,
) -> None:
    registry, stranger = serve(password), serve("of another one")
    daemon = make_daemon(environ=configured(how, tmp_path / "docker", registry, password)).start()
    callback = {"url": receiver.url(f"/{job_id}")}
    listing = {"id": "l", "type": "list", "in": ".", "depends": "job"}
    command = "echo started; while ! [ -e stop ]; do usleep 20000; done; env"
    daemon.submit(id=job_id, image=registry.image, command=command, artifacts=[listing], callback=callback)
    until(lambda: "started" in str(daemon.log_lines(job_id)), "the worker runs")
    during = everywhere(daemon, docker_client, job_id)
    assert {"inspect worker", "inspect sidecar", "state jobd.db"} <= set(during)
    assert job_id.encode() in during["containers"]
    docker_client.containers.get(f"job-{job_id}-worker").exec_run(["touch", "/workspace/stop"])
    assert daemon.ended(job_id)["status"] == "completed"
    # The password was needed: the engine first asks without it, and the registry refuses.
    assert set(registry.authorizations) == {None, registry.wanted}
    # Another registry does not get it, though it asks for one.
    other = f"{job_id}-other"
    daemon.submit(id=other, image=stranger.image, command="true", callback={"url": receiver.url(f"/{other}")})
    refused = daemon.ended(other)
    assert (refused["status"], refused["reason"]) == ("failed", "image-not-found"), refused
    assert not [given for given in stranger.authorizations if given and holds(given.encode(), password)]
    assert stranger.authorizations
    assert stranger.wanted not in stranger.authorizations
    after = {
        **everywhere(daemon, docker_client, job_id),
        **{f"{name} of the other": text for name, text in everywhere(daemon, docker_client, other).items()},
        "callbacks": json.dumps([*receiver.complete(f"/{job_id}"), *receiver.complete(f"/{other}")]).encode(),
        "image": json.dumps(docker_client.images.get(registry.image).attrs).encode(),
    }
    assert [place for place, text in {**during, **after}.items() if holds(text, password)] == []


def test_a_refused_password_is_not_quoted(
    make_daemon: Callable[..., Daemon],
    docker_client: docker.DockerClient,
    serve: Serve,
    password: str,
    job_id: str,
    tmp_path: Path,
) -> None:
    registry = serve("quite another")
    daemon = make_daemon(environ=configured("auths", tmp_path / "docker", registry, password)).start()
    daemon.submit(id=job_id, image=registry.image, command="true")
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"]) == ("failed", "image-not-found"), view
    assert any(given and holds(given.encode(), password) for given in registry.authorizations)
    places = everywhere(daemon, docker_client, job_id)
    assert [place for place, text in places.items() if holds(text, password)] == []


@pytest.mark.parametrize(
    "script",
    [
        "cat answer; exit 1",
        "cat answer >&2; exit 1",
        "cat answer; cat answer",
        "echo '{}'",
        "printf '\\377'",
        "exec sleep 300",
        "rm docker-credential-test; exit 1",
    ],
    ids=["fails with it", "complains with it", "says it twice", "says nothing", "noise", "hangs", "goes"],
)
def test_a_helper_that_fails_gives_no_password_away_and_stops_no_job(
    make_daemon: Callable[..., Daemon],
    docker_client: docker.DockerClient,
    serve: Serve,
    password: str,
    job_id: str,
    tmp_path: Path,
    script: str,
) -> None:
    """Then the engine asks for the image without credentials."""
    registry = serve(password)
    folder = tmp_path / "docker"
    environ = configured("store", folder, registry, password)
    helper(folder, f"cd {folder}; {script}")
    daemon = make_daemon(environ=environ).start()
    daemon.submit(id=job_id, image=registry.image, command="true")
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"]) == ("failed", "image-not-found"), view
    assert set(registry.authorizations) == {None}
    assert daemon.call("GET", "/readyz").status == 200
    places = everywhere(daemon, docker_client, job_id)
    assert [place for place, text in places.items() if holds(text, password)] == []
    assert b"docker-credential-test" in places["log"]
