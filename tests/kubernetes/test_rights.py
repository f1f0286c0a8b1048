"""jobd works with exactly the shipped rights; each right that is taken away is named, with what fails without it."""

import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from jobd.jobs.port.errors import EngineError
from jobd.kubernetes.mapping.rights import NEEDED, Right
from jobd.kubernetes.mapping.settings import KubernetesSettings
from jobd.kubernetes.orchestrator import KubernetesOrchestrator
from scripts.kubernetes.places import JOBD, NAMESPACE
from tests.support.daemon import Daemon
from tests.support.kubernetes.cluster import SIDECAR_IMAGE
from tests.support.kubernetes.kubectl import apply, kubectl


@pytest.fixture
def account() -> Iterator[str]:
    """The name of a service account, a role and their binding, which are removed at the end."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield name
    kubectl("delete", "rolebinding,role,serviceaccount", name, "--ignore-not-found")


def kubeconfig(folder: Path, account: str, rights: list[Right]) -> Path:
    """Returns a kubeconfig of an account with these rights and no others."""
    metadata = {"name": account, "namespace": NAMESPACE}
    rules = [{"apiGroups": [""], "resources": [one.resource], "verbs": [one.verb]} for one in rights]
    rbac = "rbac.authorization.k8s.io"
    apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": account},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}],
        },
    )
    config = json.loads(JOBD.read_text())
    config["users"][0]["user"] = {"token": kubectl("create", "token", account).strip()}
    path = folder / f"{account}.kubeconfig"
    path.write_text(json.dumps(config))
    return path


@asynccontextmanager
async def orchestrator(config: Path) -> AsyncIterator[KubernetesOrchestrator]:
    made = KubernetesOrchestrator(
        KubernetesSettings("rights", SIDECAR_IMAGE), environ={"KUBECONFIG": str(config)}, namespace=NAMESPACE
    )
    try:
        yield made
    finally:
        await made.close()


async def test_the_shipped_rights_are_enough_and_no_more_is_asked_for() -> None:
    async with orchestrator(JOBD) as made:
        assert (await made.probe()).problems == ()


@pytest.mark.parametrize("taken", NEEDED, ids=[f"{one.verb} {one.resource}" for one in NEEDED])
async def test_each_right_that_is_missing_is_named(tmp_path: Path, account: str, taken: Right) -> None:
    config = kubeconfig(tmp_path, account, [one for one in NEEDED if one != taken])
    async with orchestrator(config) as made:
        try:
            told = "".join((await made.probe()).problems)
        except EngineError as error:
            told = error.advice
    assert f"no right to {taken.verb} {taken.resource} in namespace {NAMESPACE}: {taken.without}" in told


def test_doctor_names_a_missing_right_and_the_remedy(
    make_cluster_daemon: Callable[..., Daemon], tmp_path: Path, account: str
) -> None:
    config = kubeconfig(tmp_path, account, [one for one in NEEDED if one.resource != "pods/log"])
    daemon = make_cluster_daemon(KUBECONFIG=str(config)).start()
    done = daemon.jobctl("doctor")
    assert done.returncode == 1
    assert "jobd has no right to get pods/log in namespace jobs: jobs have no log" in " ".join(
        done.stdout.split()
    )
    assert "kubectl apply -f deploy/kubernetes/base/rights.yaml" in done.stdout
