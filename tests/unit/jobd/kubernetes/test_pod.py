"""The body of a Pod: what a job asks for is in it, and nothing that a job must not have."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.jobs.port.model import JobRef
from jobd.kubernetes.mapping import labels
from jobd.kubernetes.mapping.pod import SIDECAR, START_GATE, literal, pod_body, tmpfs_size
from jobd.kubernetes.mapping.settings import KubernetesSettings
from tests.unit.jobd.kubernetes.pods import INSTANCE, REF, SETTINGS, body, order


def worker(**fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = spec(**fields)["containers"][0]
    return found


def spec(**fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = pod_body(order(**fields), SETTINGS)["spec"]
    return found


@given(st.text())
def test_no_text_is_expanded(text: str) -> None:
    """Kubernetes' own rule: `$$` is a dollar, `$(NAME)` a variable, every other dollar itself."""
    found, position, written = "", 0, literal(text)
    while position < len(written):
        if written[position] == "$":
            assert written[position + 1] == "$"
            position += 1
        found += written[position]
        position += 1
    assert found == text


def test_a_plain_job_waits_at_its_gate_and_has_no_sidecar() -> None:
    found = spec()
    assert found["schedulingGates"] == [{"name": START_GATE}]
    assert "initContainers" not in found
    assert found["restartPolicy"] == "Never"
    assert found["shareProcessNamespace"] is True
    assert "shareProcessNamespace" not in spec(init=False)


@pytest.mark.parametrize("fields", [{"sidecar": True}, {"files": True}, {"outputs": [{"path": "x"}]}])
def test_a_job_with_files_is_held_by_its_sidecars_probe(fields: dict[str, Any]) -> None:
    found = spec(**fields)
    (sidecar,) = found["initContainers"]
    assert (sidecar["name"], sidecar["restartPolicy"], sidecar["image"]) == (
        SIDECAR,
        "Always",
        SETTINGS.sidecar_image,
    )
    assert "startupProbe" in sidecar
    assert "schedulingGates" not in found
    # A worker that shares processes with its sidecar could read the order, which has credentials.
    assert "shareProcessNamespace" not in found
    assert sidecar.get("stdin", False) is ("sidecar" in fields)
    assert sidecar["args"] == [*["--order"] * ("sidecar" in fields), "--keep"]


def test_what_a_job_asks_for_is_in_its_pod() -> None:
    fields = {
        "command": "echo $HOME",
        "environment": {"A": "$(B)"},
        "cpu": 0.25,
        "memory": 64,
        "user": "1000:2000",
        "read_only": True,
        "cap_drop": ["CHOWN"],
        "cap_add": ["NET_RAW"],
        "pull": "always",
        "platform": "linux/arm64",
        "runtime": "gvisor",
        "gpus": 2,
        "hostname": "h",
        "extra_hosts": ["db:10.0.0.1"],
        "dns": ["10.0.0.2"],
        "shm_size": 128,
        "tmpfs": {"/cache": "size=64m"},
        "working_dir": "/srv",
        "stop_timeout_seconds": 7,
        "secrets": {"token": ""},
    }
    found, one = spec(**fields), worker(**fields)
    assert (one["command"], one["args"]) == (["/bin/sh", "-c"], ["echo $$HOME"])
    assert one["env"] == [{"name": "A", "value": "$$(B)"}]
    assert one["resources"]["limits"] == {"cpu": "250m", "memory": "64Mi", "nvidia.com/gpu": "2"}
    assert one["resources"]["requests"] == one["resources"]["limits"]
    security = one["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"], security["readOnlyRootFilesystem"]) == (
        1000,
        2000,
        True,
    )
    assert security["capabilities"] == {"drop": ["CHOWN"], "add": ["NET_RAW"]}
    assert (one["imagePullPolicy"], one["workingDir"]) == ("Always", "/srv")
    assert found["nodeSelector"] == {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"}
    assert (found["runtimeClassName"], found["hostname"]) == ("gvisor", "h")
    assert found["hostAliases"] == [{"ip": "10.0.0.1", "hostnames": ["db"]}]
    assert found["dnsConfig"] == {"nameservers": ["10.0.0.2"]}
    assert found["terminationGracePeriodSeconds"] == 7
    mounts = {mount["mountPath"]: mount["name"] for mount in one["volumeMounts"]}
    volumes = {volume["name"]: volume["emptyDir"] for volume in found["volumes"]}
    assert volumes[mounts["/dev/shm"]] == {"medium": "Memory", "sizeLimit": "128Mi"}
    assert volumes[mounts["/cache"]] == {"medium": "Memory", "sizeLimit": "64Mi"}
    assert volumes[mounts["/tmp"]]["medium"] == "Memory"
    assert volumes[mounts["/run/secrets"]]["medium"] == "Memory"
    assert volumes[mounts["/workspace"]] == {}


def test_no_pod_has_a_token_of_the_cluster_or_more_rights_than_docker_gives() -> None:
    for found in (spec(), spec(sidecar=True)):
        assert found["automountServiceAccountToken"] is False
        assert found["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
        for container in (*found.get("initContainers", []), *found["containers"]):
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            dropped = container["securityContext"]["capabilities"]["drop"]
            assert "NET_RAW" in dropped or dropped == ["ALL"]


def test_the_pull_secrets_are_named() -> None:
    settings = KubernetesSettings(INSTANCE, "s", ("registry",))
    assert pod_body(order(), settings)["spec"]["imagePullSecrets"] == [{"name": "registry"}]


@pytest.mark.parametrize(
    ("options", "size"), [("", None), ("size=5", "5"), ("mode=1,size=7g", "7Gi"), ("size=1x", None)]
)
def test_the_size_of_a_tmpfs(options: str, size: str | None) -> None:
    assert tmpfs_size(options) == size


IDS = st.text("aZ0_-", min_size=1, max_size=128).filter(lambda text: text[0] not in "_-")
REFS = st.builds(JobRef, st.text("0123456789abcdef", min_size=24, max_size=64), IDS, st.integers(1, 999))


@given(REFS, st.text(min_size=1, max_size=200).filter(str.isprintable))
def test_any_job_has_a_valid_name_and_labels_and_is_found_again(ref: JobRef, instance: str) -> None:
    name = labels.pod_name(ref, instance)
    assert len(name) <= 63
    assert name.isascii()
    assert name == name.lower()
    assert name.replace("-", "").isalnum()
    made = labels.pod_labels(ref, instance)
    for value in made.values():
        assert len(value) <= 63
        assert value[0].isalnum()
        assert value[-1].isalnum()
    annotations = labels.pod_annotations(ref, instance)
    assert labels.ref_of(annotations, made, instance) == ref
    assert labels.ref_of(annotations, made, instance + "x") is None
    assert labels.ref_of(annotations, {}, instance) is None


@given(REFS, REFS)
def test_two_attempts_never_share_a_name(one: JobRef, other: JobRef) -> None:
    if (one.uid, one.attempt) != (other.uid, other.attempt):
        assert labels.pod_name(one, INSTANCE) != labels.pod_name(other, INSTANCE)


def test_a_body_is_json_and_its_digest_follows_from_all_of_it() -> None:
    first = body()
    json.dumps(first)
    digests = {made["metadata"]["annotations"][labels.DIGEST] for made in (first, body(), body(order(cpu=2)))}
    assert len(digests) == 2
    assert first["metadata"]["name"] == labels.pod_name(REF, INSTANCE)


def test_only_a_sidecar_that_gets_files_of_earlier_jobs_has_a_folder_for_them() -> None:
    def paths(**fields: Any) -> list[str]:
        return [one["mountPath"] for one in spec(sidecar=True, **fields)["initContainers"][0]["volumeMounts"]]

    assert "/jobs" not in paths()
    assert "/jobs" in paths(sources={"a": JobRef(uid="u", id="a")})
