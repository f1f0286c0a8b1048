"""Pulls from a fake registry on this machine, and the life of the sidecar image."""

import asyncio
import contextlib
import gzip
import hashlib
import io
import json
import tarfile
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import docker
import pytest
from aiohttp import web
from docker.errors import ImageNotFound

from jobd.docker.http.http_session import Timeouts
from jobd.docker.images import sidecar_context
from jobd.jobs.port.errors import ImageUnavailable

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Registry:
    """Serves one image, `<address>/tiny:1`, for one architecture; can stall before the layer's end."""

    def __init__(self) -> None:
        self.architecture = "amd64"
        self.stalls = False
        self.wanted_login: str | None = None
        self.pulls = 0
        self.address = ""
        self._nonce = uuid.uuid4().hex

    def image(self) -> tuple[bytes, bytes, bytes]:
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as archive:
            member = tarfile.TarInfo("hello")
            content = self._nonce.encode() * 1000
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        layer = gzip.compress(raw.getvalue(), mtime=0)
        config = json.dumps(
            {
                "architecture": self.architecture,
                "os": "linux",
                "config": {"Cmd": ["/hello"], "User": "4321"},
                "rootfs": {"type": "layers", "diff_ids": [digest(raw.getvalue())]},
            }
        ).encode()
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {
                    "mediaType": "application/vnd.docker.container.image.v1+json",
                    "size": len(config),
                    "digest": digest(config),
                },
                "layers": [
                    {
                        "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                        "size": len(layer),
                        "digest": digest(layer),
                    }
                ],
            }
        ).encode()
        return manifest, config, layer

    async def serve(self, request: web.Request) -> web.StreamResponse:
        manifest, config, layer = self.image()
        what = request.path.rpartition("/")[2]
        if request.path == "/v2/":
            return web.Response(text="{}")
        if what in ("1", digest(manifest)):
            self.pulls += 1
            return web.Response(
                body=manifest, headers={"Content-Type": MANIFEST, "Docker-Content-Digest": digest(manifest)}
            )
        if what == digest(config):
            return web.Response(body=config)
        if what == digest(layer):
            if not self.stalls:
                return web.Response(body=layer)
            response = web.StreamResponse(headers={"Content-Length": str(len(layer))})
            await response.prepare(request)
            await response.write(layer[:10])
            await asyncio.sleep(3600)
        return web.json_response(
            {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}, status=404
        )


def untag(client: docker.DockerClient, tag: str) -> None:
    """Removes a tag, not the image: the image may have other tags."""
    with contextlib.suppress(ImageNotFound):
        client.images.remove(tag, force=True)  # a container of the test may still exist


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
async def registry(docker_client: docker.DockerClient) -> AsyncIterator[Registry]:
    made = Registry()
    app = web.Application()
    app.router.add_route("*", "/v2/{rest:.*}", made.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.address = f"127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()
    await asyncio.to_thread(untag, docker_client, f"{made.address}/tiny:1")


async def test_a_missing_image_is_pulled_and_its_digest_and_user_known(
    bench: Any, registry: Registry
) -> None:
    progress = await bench.prepare(image=f"{registry.address}/tiny:1", command=["x"])
    assert [image.digest for image in progress.images] == [digest(registry.image()[0])]
    assert bench.inspect()["Config"]["User"] == "4321"
    assert progress.texts
    assert progress.texts[0].startswith("pulling")
    assert progress.pulls


async def test_each_policy_pulls_as_it_says(bench: Any, registry: Registry) -> None:
    image = f"{registry.address}/tiny:1"
    with pytest.raises(ImageUnavailable, match="pull: never"):
        await bench.prepare(image=image, pull="never", command=["x"])
    assert registry.pulls == 0
    await bench.prepare(image=image, pull="missing", command=["x"])
    first = registry.pulls
    assert first > 0
    await bench.prepare(image=image, pull="missing", command=["x"])
    await bench.prepare(image=image, pull="never", command=["x"])
    assert registry.pulls == first
    await bench.prepare(image=image, pull="always", command=["x"])
    assert registry.pulls > first


async def test_an_image_for_another_machine_is_refused_with_both_names(
    bench: Any, registry: Registry
) -> None:
    registry.architecture = "s390x"
    image = f"{registry.address}/tiny:1"
    with pytest.raises(ImageUnavailable, match="linux/s390x") as caught:
        await bench.prepare(image=image, pull="missing", command=["x"])
    assert "platform" in caught.value.remedy


async def test_a_tag_that_does_not_exist(bench: Any, registry: Registry) -> None:
    with pytest.raises(ImageUnavailable, match="tiny:2"):
        await bench.prepare(image=f"{registry.address}/tiny:2", pull="missing", command=["x"])


async def test_a_registry_that_is_away(bench: Any) -> None:
    with pytest.raises(ImageUnavailable, match=r"127\.0\.0\.1:1/"):
        await bench.prepare(image="127.0.0.1:1/tiny:1", pull="missing", command=["x"])


async def test_a_pull_that_stalls_fails(make_bench: Any, registry: Registry) -> None:
    registry.stalls = True
    bench = make_bench(timeouts=Timeouts(stall_s=0.5))
    with pytest.raises(ImageUnavailable, match="stalled"):
        await bench.prepare(image=f"{registry.address}/tiny:1", pull="missing", command=["x"])


@pytest.fixture
def sidecar_tag(docker_client: docker.DockerClient) -> Iterator[str]:
    tag = f"jobd-test-sidecar-{uuid.uuid4().hex[:10]}:latest"
    yield tag
    untag(docker_client, tag)


async def test_a_missing_sidecar_image_is_built(make_bench: Any, sidecar_tag: str) -> None:
    bench = make_bench(sidecar_image=sidecar_tag)
    await bench.prepare(sidecar=True)
    image = bench.client.images.get(sidecar_tag)
    assert image.labels[sidecar_context.DIGEST_LABEL] == sidecar_context.source_digest()
    assert image.labels["managed-by"] == "jobs-service"
    assert image.attrs["Config"]["Entrypoint"] == [
        "python3",
        "-I",
        "-S",
        "-B",
        "-X",
        "utf8",
        "/app/sidecar/start.py",
    ]


async def test_a_stale_sidecar_image_that_was_built_here_is_built_again(
    make_bench: Any, docker_client: docker.DockerClient, sidecar_tag: str
) -> None:
    stale = f"FROM busybox:latest\nLABEL {sidecar_context.DIGEST_LABEL}=old\n".encode()
    old, _ = docker_client.images.build(fileobj=io.BytesIO(stale), tag=sidecar_tag, rm=True)
    await make_bench(sidecar_image=sidecar_tag).prepare(sidecar=True)
    labels = docker_client.images.get(sidecar_tag).labels
    assert labels[sidecar_context.DIGEST_LABEL] == sidecar_context.source_digest()
    with pytest.raises(ImageNotFound):
        docker_client.images.get(str(old.id))


async def test_a_foreign_sidecar_image_is_used_unchanged(
    make_bench: Any, docker_client: docker.DockerClient, sidecar_tag: str
) -> None:
    theirs = b"FROM busybox:latest\nLABEL theirs=yes\n"
    built, _ = docker_client.images.build(fileobj=io.BytesIO(theirs), tag=sidecar_tag, rm=True)
    await make_bench(sidecar_image=sidecar_tag).prepare(sidecar=True)
    assert docker_client.images.get(sidecar_tag).id == built.id


async def test_a_sidecar_image_removed_while_jobd_runs_is_built_again(
    make_bench: Any, docker_client: docker.DockerClient, sidecar_tag: str
) -> None:
    bench = make_bench(sidecar_image=sidecar_tag)
    made = await bench.create(sidecar=True)
    assert made.sidecar_id is not None
    assert docker_client.images.get(sidecar_tag).labels["managed-by"] == "jobs-service"
