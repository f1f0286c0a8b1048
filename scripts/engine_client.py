"""A docker SDK client of the engine that jobd itself would use: from `DOCKER_HOST`, the docker context, or the default socket."""

import os

import docker

from jobd.docker.http.endpoint import endpoint


def connect(timeout_s: int = 60) -> docker.DockerClient:
    """Returns a client; `timeout_s` is the limit for each read.

    Raises:
        docker.errors.DockerException, requests.RequestException, EngineError: no engine responds.
    """
    if os.environ.get("DOCKER_HOST"):
        client = docker.from_env(timeout=timeout_s)
    else:
        client = docker.DockerClient(base_url=endpoint(os.environ).url, timeout=timeout_s)
    client.ping()
    return client
