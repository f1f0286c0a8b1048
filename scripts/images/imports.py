"""Finds images on the engine, and imports root file systems as images."""

from pathlib import Path

import docker
import docker.errors
from docker.models.images import Image

from scripts.images.packages import Failed


def find(client: docker.DockerClient, reference: str) -> Image | None:
    try:
        return client.images.get(reference)
    except docker.errors.ImageNotFound:
        return None


def import_root(client: docker.DockerClient, path: Path, reference: str, *changes: str) -> None:
    """Makes an image from a root file system; `changes` are lines of a Dockerfile.

    Raises:
        Failed: the engine does not have the image afterwards.
    """
    repository, tag = reference.split(":")
    all_changes = ["LABEL jobd.made-from=debian-packages", *changes]
    client.api.import_image_from_file(str(path), repository=repository, tag=tag, changes=all_changes)
    if find(client, reference) is None:
        raise Failed(f"the engine has imported {reference}, but does not have it")
