"""A jobd for demo and benchmarks whose jobs run on the cluster of the tests, which `make kubernetes` has started."""

import json
import os
import subprocess
import time
from collections.abc import Mapping

from scripts.daemon import Daemon
from scripts.kubernetes.cluster import kubectl
from scripts.kubernetes.places import GATEWAY, JOBD, NAMESPACE

VARIABLES = {"JOBD_ENGINE": "kubernetes", "KUBECONFIG": str(JOBD), "KUBERNETES_NAMESPACE": NAMESPACE}
SEEN_FROM_PODS = GATEWAY
"""The address of this machine for Pods."""
REMOVED_S = 120


class ClusterDaemon(Daemon):
    """As `Daemon`, with the rights that jobd needs in the cluster and no others."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        super().__init__(VARIABLES | dict(variables or {}))

    def left(self) -> list[str]:
        """Returns the Pods of this jobd in the cluster."""
        found = _kubectl("get", "pods", "-l", f"job.instance={self.instance}", "-o", "json")
        return [one["metadata"]["name"] for one in json.loads(found)["items"]]

    def _remove_objects(self) -> None:
        deadline = time.monotonic() + REMOVED_S
        while (names := self.left()) and time.monotonic() < deadline:
            # Nobody else removes jobd's finalizer now.
            for name in names:
                _kubectl("patch", "pod", name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
            _kubectl(
                "delete", "pods", "-l", f"job.instance={self.instance}", "--grace-period=1", "--wait=false"
            )
            time.sleep(0.5)


def daemon_of_engine() -> Daemon:
    """Returns a jobd for the engine in the variable ENGINE: docker, or kubernetes."""
    return ClusterDaemon() if on_cluster() else Daemon()


def on_cluster() -> bool:
    """Returns whether ENGINE names the cluster."""
    return os.environ.get("ENGINE", "docker") == "kubernetes"


def _kubectl(*arguments: str) -> str:
    command = [str(word) for word in kubectl("-n", NAMESPACE, *arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout
