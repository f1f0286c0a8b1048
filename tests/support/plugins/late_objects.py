"""What the engine creates for daemons that were killed, after their tests have removed everything: removed at the end of the run.

A killed jobd may have asked for a container or a network, and the engine creates it a moment later. Networks that stay use up the
engine's address ranges.
"""

from typing import Any

import docker
import docker.errors

from tests.support.engine import instances

_LABEL = "job.instance"
_LIMIT_S = 60


def pytest_sessionfinish() -> None:
    if not instances.removed:
        return
    try:
        client = docker.from_env(timeout=_LIMIT_S)
    except docker.errors.DockerException:
        return
    try:
        for container in client.api.containers(all=True, filters={"label": _LABEL}):
            if _is_ours(container):
                _quietly(client.api.remove_container, container["Id"], v=True, force=True)
        for volume in client.api.volumes(filters={"label": _LABEL})["Volumes"] or ():
            if _is_ours(volume):
                _quietly(client.api.remove_volume, volume["Name"], force=True)
        for network in client.api.networks(filters={"label": _LABEL}):
            if _is_ours(network):
                _quietly(client.api.remove_network, network["Id"])
    finally:
        client.close()


def _is_ours(found: dict[str, Any]) -> bool:
    return (found.get("Labels") or {}).get(_LABEL) in instances.removed


def _quietly(remove: Any, *args: Any, **options: Any) -> None:
    try:
        remove(*args, **options)
    except docker.errors.APIError:
        pass  # it is gone, or the engine removes it now
