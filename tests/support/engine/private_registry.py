"""A registry on loopback that serves one image, busybox under another name, to clients with its password, and records headers.

The engine treats 127.0.0.0/8 as insecure registries, so plain HTTP works.

Source: Docker Registry HTTP API V2; RFC 7617 (Basic).
"""

import base64
import gzip
import hashlib
import io
import json
import tarfile
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import docker

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class PrivateRegistry:
    """Serves `image` (`127.0.0.1:<port>/private/<unique>:1`). `authorizations`: the received headers, None if absent."""

    def __init__(self, client: docker.DockerClient, user: str, password: str) -> None:
        self.wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.authorizations: list[str | None] = []
        self.repository = f"private/{uuid.uuid4().hex[:12]}"
        self._content = _registry_files(client, self.repository)
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                given = self.headers.get("Authorization")
                registry.authorizations.append(given)
                kind, body = registry._content.get(self.path, ("application/json", b""))
                status = 401 if given != registry.wanted else 200 if body else 404
                if status != 200:
                    kind = "application/json"
                    errors = [
                        {"code": "UNAUTHORIZED" if status == 401 else "MANIFEST_UNKNOWN", "message": "no"}
                    ]
                    body = json.dumps({"errors": errors}).encode()
                self.send_response(status)
                self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="private"')
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                if kind == MANIFEST:
                    self.send_header("Docker-Content-Digest", _digest(body))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def image(self) -> str:
        return f"{self.address}/{self.repository}:1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _registry_files(client: docker.DockerClient, repository: str) -> dict[str, tuple[str, bytes]]:
    """Returns path -> (content type, body) of all requests of a pull."""
    saved = io.BytesIO(b"".join(client.images.get("busybox:latest").save()))
    with tarfile.open(fileobj=saved) as archive:
        listed = json.loads(_member(archive, "manifest.json"))[0]
        config = _member(archive, listed["Config"])
        layers = [gzip.compress(_member(archive, name), 1, mtime=0) for name in listed["Layers"]]
    # A unique label, so that the image differs from busybox and can be removed.
    described = json.loads(config)
    described["config"] = {**(described.get("config") or {}), "Labels": {"private": repository}}
    config = json.dumps(described).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": len(config), "digest": _digest(config)},
            "layers": [{"mediaType": LAYER, "size": len(one), "digest": _digest(one)} for one in layers],
        }
    ).encode()
    blobs = {
        f"/v2/{repository}/blobs/{_digest(one)}": ("application/octet-stream", one)
        for one in (config, *layers)
    }
    manifests = {
        f"/v2/{repository}/manifests/{name}": (MANIFEST, manifest) for name in ("1", _digest(manifest))
    }
    return {"/v2/": ("application/json", b"{}"), **blobs, **manifests}


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
