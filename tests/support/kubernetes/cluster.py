"""The cluster of the tests: its images, jobd's kubeconfig for it, and kubectl as its administrator."""

import asyncio
import json
import os
from pathlib import Path

from scripts.kubernetes.cluster import kubectl
from scripts.kubernetes.places import JOBD, NAMESPACE

IMAGE = "busybox:latest"
SIDECAR_IMAGE = os.environ.get("SIDECAR_IMAGE", "job-sidecar:latest")
WANTED = bool(os.environ.get("KUBERNETES_TESTS"))
"""`make test-kubernetes` has set the cluster up."""


def jobds_kubeconfig(folder: Path, port: int) -> Path:
    """Returns a kubeconfig with jobd's own rights, by a port of this machine."""
    config = json.loads(JOBD.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


async def admin(*arguments: str) -> str:
    """Returns what kubectl prints, in the namespace of the jobs."""
    command = [str(word) for word in kubectl("-n", NAMESPACE, *arguments)]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()
