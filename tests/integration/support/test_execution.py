"""Commands in containers: nothing of their output is lost, also where the reader is late."""

import http.client
import time
from collections.abc import Iterator

import docker
import pytest
from docker.models.containers import Container

from tests.support.engine.execution import Done, execute

LATE_S = 1.0


@pytest.fixture
def container(docker_client: docker.DockerClient, worker_image: str, job_id: str) -> Iterator[Container]:
    made = docker_client.containers.run(worker_image, ["sleep", "300"], name=job_id, detach=True)
    yield made
    made.remove(force=True)


def test_a_command_is_told_with_its_code_and_both_streams(container: Container) -> None:
    script = "echo $A; id -u; pwd; echo wrong >&2; exit 3"
    done = execute(container, ["sh", "-c", script], user="7", environ={"A": "given"})
    assert done == Done(3, "given\n7\n/\n", "wrong\n")


def test_output_that_comes_with_the_head_of_the_response_is_not_lost(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = http.client.HTTPResponse.begin

    def late(self: http.client.HTTPResponse) -> None:
        time.sleep(LATE_S)
        begin(self)

    monkeypatch.setattr(http.client.HTTPResponse, "begin", late)
    command = ["sh", "-c", "echo one; echo two >&2; echo three"]
    assert execute(container, command) == Done(0, "one\nthree\n", "two\n")
