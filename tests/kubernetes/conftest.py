"""jobd with the cluster of the tests. These tests are a tier of their own: `make test-kubernetes`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.kubernetes.places import GATEWAY, JOBD, NAMESPACE
from tests.support.daemon import Daemon, Receiver, until
from tests.support.kubernetes.cluster import IMAGE, SIDECAR_IMAGE, WANTED
from tests.support.kubernetes.kubectl import kubectl, objects

if not WANTED:
    collect_ignore_glob = ["*"]

ENVIRON = {
    "JOBD_ENGINE": "kubernetes",
    "KUBECONFIG": str(JOBD),
    "KUBERNETES_NAMESPACE": NAMESPACE,
    "SIDECAR_IMAGE": SIDECAR_IMAGE,
}
SMALL = ("--cpus", "0.05", "--memory", "32m")
"""What the tests' jobs ask for: many have a place on one node."""


@pytest.fixture
def image() -> str:
    return IMAGE


@pytest.fixture
def make_cluster_daemon(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Makes daemons that are not started; all are stopped at the end, and their Pods removed."""
    made: list[Daemon] = []

    def make(**environ: str) -> Daemon:
        made.append(Daemon(tmp_path / f"jobd{len(made)}", environ={**ENVIRON, **environ}))
        return made[-1]

    yield make
    for daemon in made:
        if daemon.process is not None:
            daemon.process.kill()
            daemon.process.wait(60)
            remove_pods(daemon)


@pytest.fixture
def daemon(make_cluster_daemon: Callable[..., Daemon]) -> Daemon:
    return make_cluster_daemon().start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def from_pods(receiver: Receiver, path: str) -> str:
    """Returns a URL of the receiver for Pods."""
    return f"http://{GATEWAY}:{receiver.port}{path}"


def pods(daemon: Daemon) -> list[dict[str, Any]]:
    """Returns the Pods of a daemon."""
    instance = (daemon.folder / "state" / "instance").read_text().strip()
    return objects("pods", f"job.instance={instance}")


def remove_pods(daemon: Daemon) -> None:
    """Removes the Pods of a daemon that has ended."""

    def gone() -> bool:
        found = pods(daemon)
        for pod in found:
            name = pod["metadata"]["name"]
            kubectl("patch", "pod", name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
            kubectl(
                "delete", "pod", name, "--grace-period=0", "--force", "--wait=false", "--ignore-not-found"
            )
        return not found

    until(gone, "the Pods of a daemon are removed", 120)
