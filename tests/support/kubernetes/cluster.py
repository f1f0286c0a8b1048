"""The cluster of the tests: its images, and jobd's kubeconfig for it."""

import json
import os
from pathlib import Path

from scripts.kubernetes.places import JOBD

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
