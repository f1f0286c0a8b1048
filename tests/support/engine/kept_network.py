"""A network that tests use in turn: creating and removing one takes the engine a third of a second."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker

from jobd.docker.mapping.container_spec import network_body

LONGEST_S = 3600


@contextmanager
def kept_network(client: docker.DockerClient, image: str) -> Iterator[str]:
    """Creates the network of a new instance of jobd, and yields the instance.

    jobd's adapter removes its network when it closes, unless a container runs there: here one does.
    """
    instance = f"test-{uuid.uuid4().hex[:10]}"
    body: dict[str, Any] = network_body(instance)
    network = client.networks.create(
        body["Name"], driver=body["Driver"], options=body["Options"], labels=body["Labels"]
    )
    try:
        keeper = client.containers.run(
            image, ["sleep", str(LONGEST_S)], name=f"keeps-{body['Name']}", network=body["Name"], detach=True
        )
        try:
            yield instance
        finally:
            keeper.remove(force=True)
    finally:
        network.remove()
