"""What tests of several folders share: the real engine, and the rule that CI never skips it.

Folders have fixtures of their own; nothing here knows of jobd's parts.
"""

import os
import uuid
from collections.abc import Iterator

import docker
import docker.errors
import pytest
import requests

ENGINE_TIERS = ("contract", "integration", "e2e", "faults")


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.DockerClient]:
    """The engine. Without one, tests that need it are skipped on a workstation and fail where `CI=true`."""
    try:
        client = docker.from_env(timeout=30)
    except (docker.errors.DockerException, requests.RequestException) as error:
        explanation = f"no engine answers ({error}); `make engine` finds or starts one"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(explanation, pytrace=False)
        pytest.skip(explanation)
    yield client
    client.close()


@pytest.fixture(scope="session")
def worker_image(docker_client: docker.DockerClient) -> str:
    """A small image with a shell and the usual tools, on the engine already."""
    try:
        docker_client.images.get("busybox:latest")
    except docker.errors.ImageNotFound:
        pytest.fail("busybox:latest is not on the engine; `make images` puts it there", pytrace=False)
    return "busybox:latest"


@pytest.fixture
def job_id() -> str:
    """A job id that no other test, run or person uses."""
    return f"test-{uuid.uuid4().hex[:12]}"
