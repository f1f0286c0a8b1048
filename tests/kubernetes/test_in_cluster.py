"""jobd in the cluster, as docs/kubernetes.md sets it up. The node of the tests has no Service network and makes no volumes: both stand here."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.images.daemon import USER
from scripts.images.daemon import reference as image_reference
from scripts.kubernetes.cluster import MANIFESTS
from scripts.kubernetes.cluster import kubectl as command
from scripts.kubernetes.places import BRIDGE, NAMESPACE, SERVICE_ADDRESS
from tests.kubernetes.test_jobs import SLOW_S
from tests.support.daemon import until
from tests.support.kubernetes.api_proxy import ApiProxy
from tests.support.kubernetes.cluster import IMAGE, SIDECAR_IMAGE
from tests.support.kubernetes.kubectl import apply, kubectl, pods_of

KUSTOMIZATION = f"""
resources: [base]
images:
  - {{name: jobd, newName: localhost/jobd, newTag: test}}
patches:
  - target: {{kind: Deployment, name: jobd}}
    patch: |
      - {{op: replace, path: /spec/template/spec/containers/0/env/9/value, value: "{SIDECAR_IMAGE}"}}
      - {{op: add, path: /spec/template/spec/containers/0/env/-, value: {{name: SHUTDOWN_DRAIN_WAIT, value: 0s}}}}
"""


def shell(*words: str, **options: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=300, **options)  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def service_network() -> Iterator[None]:
    """The API server's address in the cluster."""
    shell("ip", "addr", "replace", f"{SERVICE_ADDRESS}/32", "dev", BRIDGE)
    try:
        with ApiProxy(SERVICE_ADDRESS, 443):
            yield
    finally:
        shell("ip", "addr", "del", f"{SERVICE_ADDRESS}/32", "dev", BRIDGE)


@pytest.fixture(scope="module")
def image() -> None:
    shell(sys.executable, "-m", "scripts.images.daemon")
    shell("docker", "tag", image_reference(), "localhost/jobd:test")
    shell(sys.executable, "-m", "scripts.kubernetes", "load", "localhost/jobd:test")


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, service_network: None, image: None) -> Iterator[Path]:
    """Jobd in the cluster. Returns the folder with `api-key` and `tls.crt`."""
    folder = tmp_path_factory.mktemp("deploy")
    state = folder / "state"
    state.mkdir()
    os.chown(state, USER, USER)
    shutil.copytree(MANIFESTS, folder / "base")
    (folder / "kustomization.yaml").write_text(KUSTOMIZATION)
    (folder / "api-key").write_text(os.urandom(32).hex())
    names = "subjectAltName=DNS:jobd.jobs.svc,DNS:localhost"
    shell(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"),
        *("-keyout", "tls.key", "-out", "tls.crt", "-subj", "/CN=jobd", "-addext", names),
        cwd=str(folder),
    )  # fmt: skip
    apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "jobd-test"},
            "spec": {
                "capacity": {"storage": "2Gi"},
                "accessModes": ["ReadWriteOnce"],
                "hostPath": {"path": str(state)},
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": {"name": "jobd", "namespace": NAMESPACE},
            },
        }
    )
    kubectl("create", "secret", "generic", "jobd-key", f"--from-file={folder / 'api-key'}")
    kubectl(
        "create", "secret", "tls", "jobd-tls", f"--cert={folder / 'tls.crt'}", f"--key={folder / 'tls.key'}"
    )
    try:
        kubectl("apply", "-k", str(folder))
        ready()
        yield folder
    finally:
        kubectl(
            "delete", "deployment/jobd", "service/jobd", "networkpolicy/jobd", "networkpolicy/jobs", "--wait"
        )
        kubectl("delete", "secret/jobd-key", "secret/jobd-tls", "pvc/jobd", "pv/jobd-test", "--wait")


def ready() -> None:
    try:
        kubectl("rollout", "status", "deployment/jobd", "--timeout=90s")
    except AssertionError:
        print(kubectl("describe", "pods", "-l", "app=jobd"))
        print(kubectl("logs", "-l", "app=jobd", "--all-containers", "--tail=30"))
        raise


def jobctl(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs jobctl in jobd's own Pod."""
    words = [
        *map(str, command("-n", NAMESPACE, "exec", "deploy/jobd", "-c", "jobd", "--", "jobctl")),
        *arguments,
    ]
    return subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)


def test_jobs_run_with_files_and_the_rights_are_enough(deployed: Path, job_id: str) -> None:
    done = jobctl(
        "run", "--name", job_id, "--cpus", "0.05", "--memory", "32m", "--sh", "echo said; exit 4", IMAGE
    )
    assert (done.stdout.strip(), done.returncode) == ("said", 4), done.stderr
    done = jobctl(
        "run", "--name", f"{job_id}-f", "--cpus", "0.05", "--memory", "32m", "--write", "note=a note",
        "--sh", "cat note", IMAGE,
    )  # fmt: skip
    assert (done.stdout.strip(), done.returncode) == ("a note", 0), done.stderr
    doctor = jobctl("doctor")
    assert "jobd has no right" not in doctor.stdout, doctor.stdout
    for name in (job_id, f"{job_id}-f"):
        assert jobctl("rm", name).returncode == 0
    until(lambda: not (pods_of(job_id) or pods_of(f"{job_id}-f")), "the Pods are removed", SLOW_S)


def test_jobd_is_reached_with_its_key_over_tls(deployed: Path) -> None:
    words = [str(word) for word in command("-n", NAMESPACE, "port-forward", "deploy/jobd", ":8080")]
    forwarding = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert forwarding.stdout is not None
        said = forwarding.stdout.readline().decode()
        assert said.startswith("Forwarding from 127.0.0.1:"), said
        port = said.split()[2].rpartition(":")[2]
        environ = {
            "JOBCTL_CA_FILE": str(deployed / "tls.crt"),
            "JOBCTL_API_KEY_FILE": str(deployed / "api-key"),
        }
        (deployed / "api-key").chmod(0o600)
        arguments = [
            sys.executable,
            "-m",
            "jobctl",
            "--host",
            f"https://localhost:{port}",
            "version",
            "--json",
        ]
        done = subprocess.run(
            arguments, env={**os.environ, **environ}, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["jobd"]["engine"]["name"] == "kubernetes"
        refused = subprocess.run(
            arguments, env={**os.environ, **environ, "JOBCTL_API_KEY_FILE": "/dev/null"}, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert refused.returncode != 0
    finally:
        forwarding.terminate()
        forwarding.communicate(timeout=30)


def test_a_job_goes_on_while_jobds_pod_is_replaced(deployed: Path, job_id: str) -> None:
    given = (
        "--name",
        job_id,
        "--cpus",
        "0.05",
        "--memory",
        "32m",
        "--sh",
        "echo begun; sleep 12; exit 6",
        IMAGE,
    )
    assert jobctl("submit", *given).returncode == 0
    until(lambda: "begun" in jobctl("logs", job_id).stdout, "the job runs", SLOW_S)
    kubectl("delete", "pod", "-l", "app=jobd", "--grace-period=1", "--wait=false")
    with contextlib.suppress(AssertionError):
        kubectl("wait", "--for=delete", "pod", "-l", "app=jobd", "--timeout=30s")
    ready()
    done = jobctl("wait", job_id)
    assert "6" in done.stdout, (done.stdout, done.stderr)
    assert jobctl("rm", job_id).returncode == 0
    until(lambda: not pods_of(job_id), "the Pod is removed", SLOW_S)


def test_the_network_policies_are_taken_by_the_cluster(deployed: Path) -> None:
    found = json.loads(kubectl("get", "networkpolicies", "-o", "json"))["items"]
    assert sorted(one["metadata"]["name"] for one in found) == ["jobd", "jobs"]
