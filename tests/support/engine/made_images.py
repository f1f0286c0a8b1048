"""Images that no registry has: without a shell, for another architecture. Built from busybox on the engine, removed at the end."""

import io
import json
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import docker


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, (data, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), mode
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


@contextmanager
def without_shell(client: docker.DockerClient) -> Iterator[str]:
    """An image with one file that is not executable."""
    name = f"test-no-shell-{uuid.uuid4().hex[:8]}"
    client.api.import_image_from_data(_tar({"data": (b"only data", 0o644)}), repository=name, tag="1")
    try:
        yield f"{name}:1"
    finally:
        client.images.remove(f"{name}:1", force=True)


@contextmanager
def for_another_architecture(client: docker.DockerClient) -> Iterator[str]:
    """Busybox, labelled as s390x."""
    name = f"test-s390x-{uuid.uuid4().hex[:8]}:1"
    saved = io.BytesIO(b"".join(client.images.get("busybox:latest").save()))
    files: dict[str, tuple[bytes, int]] = {}
    with tarfile.open(fileobj=saved) as archive:
        manifest = json.loads(_read(archive, "manifest.json"))[0]
        config = json.loads(_read(archive, manifest["Config"])) | {"architecture": "s390x"}
        files["config.json"] = (json.dumps(config).encode(), 0o644)
        for layer in manifest["Layers"]:
            files[layer] = (_read(archive, layer), 0o644)
    listed = [{"Config": "config.json", "RepoTags": [name], "Layers": manifest["Layers"]}]
    files["manifest.json"] = (json.dumps(listed).encode(), 0o644)
    client.images.load(_tar(files))
    try:
        yield name
    finally:
        client.images.remove(name, force=True)


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()
