"""Builds the body of an attempt's Pod from a work order.

Pure: this body defines all that a job's containers may do. A Pod has the worker and, if the job has files or secrets, a native sidecar.
A Pod without a sidecar carries a scheduling gate, a Pod with one a startup probe: until jobd removes the gate, or the probe succeeds, the
worker does not start. `labels.py` has the names, `unsupported.py` what has no place in a Pod.

Source: Kubernetes API v1, Pod; docs/kubernetes.md.
"""

import hashlib
import json
import re
from typing import Any

from jobd.jobs.port.model import WorkOrder
from jobd.kubernetes.mapping import labels
from jobd.kubernetes.mapping.quantities import cores, mebibytes
from jobd.kubernetes.mapping.settings import KubernetesSettings
from jobd.kubernetes.mapping.users import ids_of
from jobd.wire.job import ALL_CAPABILITIES, DEFAULT_WORKSPACE, SECRETS_FOLDER, JobSpec
from jobd.wire.report import JOBS_FOLDER

Body = dict[str, Any]

WORKER, SIDECAR = "worker", "sidecar"
"""The names of a Pod's containers."""
WORKSPACE = "workspace"
"""The name of the volume with the job's files."""
START_GATE = "jobs-service/start"
"""The scheduling gate of a Pod without a sidecar."""
CONTROL_FOLDER = "/run/job"
START_FILE = f"{CONTROL_FOLDER}/start"
"""In the sidecar: jobd creates this file to let the worker start."""
END_FILE = f"{CONTROL_FOLDER}/end"
"""In the sidecar: jobd creates this file once nobody needs the job's files any more."""
SIDECAR_COMMAND = ("python3", "-I", "-S", "-B", "-X", "utf8", "/app/sidecar/pod.py")
ORDERED, KEPT = "--order", "--keep"
"""Arguments of the sidecar: it waits for an order on its standard input; it stays after the worker's end, until `END_FILE` exists."""
OUTPUTS_S = 3600
"""How long a sidecar may run after the worker's end: the longest time that jobd gives outputs."""
SIDECAR_MEMORY_MB = 256
SIDECAR_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER")
GPU = "nvidia.com/gpu"
_PROBE_TRIES = 1 << 30
_TMP = "/tmp"  # noqa: S108 - the containers' own


def needs_sidecar(order: WorkOrder) -> bool:
    """Returns whether the Pod has a sidecar: also without an order, files come in and go out through it."""
    return order.sidecar or order.files is not None or order.files_awaited or bool(order.spec.outputs)


def pod_body(order: WorkOrder, settings: KubernetesSettings) -> Body:
    """Returns the body of the Pod, with a digest of everything in it."""
    spec, with_sidecar = order.spec, needs_sidecar(order)
    pod: Body = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": spec.stop_timeout_seconds + (OUTPUTS_S if with_sidecar else 0),
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "volumes": _volumes(order, with_sidecar=with_sidecar),
        "containers": [_worker(spec)],
        **_placement(spec),
        **_network(spec),
    }
    if settings.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in settings.pull_secrets]
    if with_sidecar:
        pod["initContainers"] = [_sidecar(order, settings)]
    else:
        pod["schedulingGates"] = [{"name": START_GATE}]
        if spec.init:
            # The first process of a shared namespace is the sandbox's own, which reaps orphans; signals without a handler end the command.
            pod["shareProcessNamespace"] = True
    ref, instance = order.ref, settings.instance
    metadata: Body = {
        "name": labels.pod_name(ref, instance),
        "labels": labels.pod_labels(ref, instance),
        "finalizers": [labels.FINALIZER],
    }
    digest = hashlib.sha256(json.dumps([metadata, pod], sort_keys=True).encode()).hexdigest()
    metadata["annotations"] = {**labels.pod_annotations(ref, instance), labels.DIGEST: digest}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod}


def literal(text: str) -> str:
    """Returns a text that Kubernetes does not expand: `$(NAME)` in a command or an environment would name a variable."""
    return text.replace("$", "$$")


def _worker(spec: JobSpec) -> Body:
    worker: Body = {
        "name": WORKER,
        "image": spec.image,
        "imagePullPolicy": {"missing": "IfNotPresent", "always": "Always", "never": "Never"}[spec.pull],
        "workingDir": spec.working_dir or spec.workspace,
        "env": [{"name": name, "value": literal(value)} for name, value in spec.environment.items()],
        "resources": _resources(spec),
        "securityContext": _worker_security(spec),
        "volumeMounts": _worker_mounts(spec),
        **_process(spec),
    }
    if spec.stdin:
        # The kubelet passes on the end of an input only where it has one connection in the worker's life.
        worker |= {"stdin": True, "stdinOnce": not spec.tty}
    if spec.tty:
        worker["tty"] = True
    return worker


def _process(spec: JobSpec) -> Body:
    if isinstance(spec.command, str):
        return {"command": ["/bin/sh", "-c"], "args": [literal(spec.command)]}
    process: Body = {}
    if spec.entrypoint:
        process["command"] = [literal(part) for part in spec.entrypoint]
    if spec.command:
        process["args"] = [literal(part) for part in spec.command]
    return process


def _resources(spec: JobSpec) -> Body:
    amounts = {"cpu": cores(spec.cpu_cores), "memory": mebibytes(spec.memory_mb)}
    if isinstance(spec.gpus, int) and spec.gpus:
        amounts[GPU] = str(spec.gpus)
    return {"requests": amounts, "limits": dict(amounts)}


def _worker_security(spec: JobSpec) -> Body:
    # A container with raw sockets can impersonate others on its node.
    dropped = {*({"NET_RAW"} - set(spec.cap_add)), *spec.cap_drop}
    capabilities: Body = {"drop": sorted(dropped)}
    if ALL_CAPABILITIES in dropped:
        capabilities["drop"] = [ALL_CAPABILITIES]
    if spec.cap_add:
        capabilities["add"] = sorted(set(spec.cap_add))
    security: Body = {"allowPrivilegeEscalation": False, "capabilities": capabilities}
    if spec.read_only:
        security["readOnlyRootFilesystem"] = True
    ids = ids_of(spec.user)
    if ids is not None:
        security["runAsUser"] = ids[0]
        if ids[1] is not None:
            security["runAsGroup"] = ids[1]
    return security


def _sidecar(order: WorkOrder, settings: KubernetesSettings) -> Body:
    spec = order.spec
    amounts = {"cpu": cores(0.05), "memory": mebibytes(64)}
    mounts: list[Body] = [
        {"name": WORKSPACE, "mountPath": DEFAULT_WORKSPACE},
        {"name": "control", "mountPath": CONTROL_FOLDER},
        {"name": "sidecar-tmp", "mountPath": _TMP},
    ]
    if spec.secrets:
        mounts.append({"name": "secrets", "mountPath": SECRETS_FOLDER})
    if order.sources:
        mounts.append({"name": "jobs", "mountPath": JOBS_FOLDER})
    sidecar: Body = {
        "name": SIDECAR,
        "image": settings.sidecar_image,
        "imagePullPolicy": "IfNotPresent",
        "restartPolicy": "Always",
        "command": list(SIDECAR_COMMAND),
        "args": [*[ORDERED] * order.sidecar, KEPT],
        "env": [],
        "resources": {"requests": amounts, "limits": {"memory": mebibytes(SIDECAR_MEMORY_MB)}},
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": [ALL_CAPABILITIES], "add": list(SIDECAR_CAPABILITIES)},
        },
        "volumeMounts": mounts,
        # Until jobd creates the file, the kubelet starts no worker.
        "startupProbe": {
            "exec": {"command": ["test", "-e", START_FILE]},
            "periodSeconds": 1,
            "timeoutSeconds": 10,
            "failureThreshold": _PROBE_TRIES,
        },
    }
    if order.sidecar:
        sidecar |= {"stdin": True, "stdinOnce": True}
    return sidecar


def _volumes(order: WorkOrder, *, with_sidecar: bool) -> list[Body]:
    spec = order.spec
    volumes = [_empty(WORKSPACE), *(_empty(name, size) for name, _, size in _in_memory(spec))]
    if with_sidecar:
        volumes += [_empty("control", "1Mi"), _empty("sidecar-tmp", "16Mi")]
    if spec.secrets:
        volumes.append(_empty("secrets", "4Mi"))
    if order.sources:
        volumes.append(_empty("jobs"))
    return volumes


def _empty(name: str, in_memory: str | None = None) -> Body:
    medium: Body = {} if in_memory is None else {"medium": "Memory", "sizeLimit": in_memory}
    return {"name": name, "emptyDir": medium}


def _worker_mounts(spec: JobSpec) -> list[Body]:
    mounts: list[Body] = [{"name": WORKSPACE, "mountPath": spec.workspace}]
    mounts += [{"name": name, "mountPath": path} for name, path, _ in _in_memory(spec)]
    if spec.secrets:
        mounts.append({"name": "secrets", "mountPath": SECRETS_FOLDER, "readOnly": True})
    return mounts


def _in_memory(spec: JobSpec) -> list[tuple[str, str, str]]:
    """Returns the worker's file systems in memory: the volume's name, the path, the size."""
    paths = {path: tmpfs_size(options) or mebibytes(spec.memory_mb) for path, options in spec.tmpfs.items()}
    if spec.shm_size:
        paths["/dev/shm"] = mebibytes(spec.shm_size)  # noqa: S108 - the worker's own
    if spec.read_only and spec.workspace != _TMP:
        paths.setdefault(_TMP, mebibytes(spec.memory_mb))
    return [(f"memory-{number}", path, size) for number, (path, size) in enumerate(sorted(paths.items()))]


def tmpfs_size(options: str) -> str | None:
    """Returns the size in a tmpfs's options as a quantity; None without one."""
    found = re.search(r"(?:^|,)size=([0-9]+)([kmgKMG]?)(?:,|$)", options)
    return None if found is None else found[1] + {"": "", "k": "Ki", "m": "Mi", "g": "Gi"}[found[2].lower()]


def _placement(spec: JobSpec) -> Body:
    placement: Body = {}
    if spec.platform:
        system, _, architecture = spec.platform.partition("/")
        chosen = {"kubernetes.io/os": system, "kubernetes.io/arch": architecture.partition("/")[0]}
        placement["nodeSelector"] = {name: value for name, value in chosen.items() if value}
    if spec.runtime:
        placement["runtimeClassName"] = spec.runtime
    return placement


def _network(spec: JobSpec) -> Body:
    network: Body = {}
    if spec.hostname:
        network["hostname"] = spec.hostname
    if spec.extra_hosts:
        pairs = [entry.partition(":") for entry in spec.extra_hosts]
        network["hostAliases"] = [{"ip": address, "hostnames": [name]} for name, _, address in pairs]
    if spec.dns:
        network |= {"dnsPolicy": "None", "dnsConfig": {"nameservers": list(spec.dns)}}
    return network
