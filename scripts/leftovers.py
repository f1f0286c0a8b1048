"""What one instance of jobd has on the engine, found by its label, and the removal of all of it.

For instances that nobody comes back to: those of demo, benchmarks and tests.
"""

import time

import docker
import docker.errors

from jobd.docker import labels

REMOVE_S = 60


def left(api: docker.APIClient, instance: str) -> list[str]:
    """Returns the names of the instance's containers and volumes."""
    mine = {"label": f"{labels.JOB_INSTANCE}={instance}"}
    containers = api.containers(all=True, filters=mine)
    volumes = api.volumes(filters=mine)["Volumes"] or []
    return [container["Names"][0].lstrip("/") for container in containers] + [
        volume["Name"] for volume in volumes
    ]


def remove(api: docker.APIClient, instance: str, *, network: bool) -> None:
    """Removes the instance's containers and volumes, and its network where it is asked for; repeats what was refused because
    the engine was not done with something else.

    Raises:
        docker.errors.APIError: something could not be removed within a minute.
    """
    deadline = time.monotonic() + REMOVE_S
    while True:
        try:
            return _remove(api, instance, network)
        except docker.errors.NotFound:
            pass  # somebody else has removed it
        except docker.errors.APIError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def _remove(api: docker.APIClient, instance: str, network: bool) -> None:
    mine = {"label": f"{labels.JOB_INSTANCE}={instance}"}
    for container in api.containers(all=True, filters=mine):
        api.remove_container(container["Id"], v=True, force=True)
    for volume in api.volumes(filters=mine)["Volumes"] or []:
        api.remove_volume(volume["Name"], force=True)
    for found in api.networks(filters=mine) if network else ():
        api.remove_network(found["Id"])
