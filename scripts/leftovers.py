"""Finds and removes the containers, volumes and networks of one instance of jobd, by their label: for demo, benchmarks and tests."""

import sys
import time
from collections.abc import Callable

import docker
import docker.errors

from jobd.docker.mapping import labels

REMOVE_S = 60
NETWORK_S = 5


def left(api: docker.APIClient, instance: str) -> list[str]:
    """Returns the names of the containers and volumes of the instance's jobs."""
    mine = {"label": [f"{labels.JOB_INSTANCE}={instance}", labels.JOB_ID]}
    containers = api.containers(all=True, filters=mine)
    volumes = api.volumes(filters=mine)["Volumes"] or []
    return [container["Names"][0].lstrip("/") for container in containers] + [
        volume["Name"] for volume in volumes
    ]


def remove(api: docker.APIClient, instance: str) -> None:
    """Removes the instance's containers and volumes; repeats refused removals for a minute.

    Raises:
        docker.errors.APIError: the engine refuses a removal for a minute.
    """
    mine = {"label": f"{labels.JOB_INSTANCE}={instance}"}

    def attempt() -> None:
        for container in api.containers(all=True, filters=mine):
            api.remove_container(container["Id"], v=True, force=True)
        for volume in api.volumes(filters=mine)["Volumes"] or []:
            api.remove_volume(volume["Name"], force=True)

    _repeat(attempt, REMOVE_S)


def remove_network(api: docker.APIClient, instance: str) -> None:
    """Removes the instance's network. Older engines may count endpoints of removed containers until their restart: then the network
    remains, with a message on stderr.
    """

    def attempt() -> None:
        for found in api.networks(filters={"label": f"{labels.JOB_INSTANCE}={instance}"}):
            api.remove_network(found["Id"])

    try:
        _repeat(attempt, NETWORK_S)
    except docker.errors.APIError as error:
        print(f"network {labels.network_name(instance)} remains: {error.explanation}", file=sys.stderr)


def _repeat(attempt: Callable[[], None], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while True:
        try:
            return attempt()
        except docker.errors.NotFound:
            pass  # another process has removed it
        except docker.errors.APIError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)
