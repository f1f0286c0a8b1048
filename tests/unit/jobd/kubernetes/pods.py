"""Orders, and Pods with a status, for the unit tests of the Kubernetes adapter."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from jobd.jobs.port.model import JobRef, WorkOrder
from jobd.kubernetes.mapping.models import Pod
from jobd.kubernetes.mapping.pod import Body, pod_body
from jobd.kubernetes.mapping.settings import KubernetesSettings
from jobd.wire.job import JobSpec

INSTANCE = "test"
SETTINGS = KubernetesSettings(INSTANCE, "registry/sidecar:1")
REF = JobRef(uid="0123456789abcdef01234567", id="a")
BEGAN, OVER = "2030-01-01T00:00:05Z", "2030-01-01T00:00:09Z"


def order(
    *,
    sidecar: bool = False,
    files: bool = False,
    ref: JobRef = REF,
    sources: Mapping[str, JobRef] | None = None,
    **fields: Any,
) -> WorkOrder:
    spec = JobSpec(**{"id": ref.id, "image": "busybox", **fields})
    return WorkOrder(ref, spec, sidecar, Path("files.tar") if files else None, sources=sources or {})


def body(given: WorkOrder | None = None) -> Body:
    return pod_body(given or order(), SETTINGS)


def pod(
    *,
    worker: dict[str, Any] | None = None,
    sidecar: dict[str, Any] | None = None,
    node: str = "n",
    gated: bool = False,
    deleted: bool = False,
    version: str = "1",
    uid: str = "pod-1",
    ref: JobRef = REF,
    **status: Any,
) -> Pod:
    """A Pod as the API server returns it. `worker` and `sidecar`: their states, with `restarts` and `started` beside them."""
    made = body(order(sidecar=sidecar is not None, ref=ref))
    made["metadata"] |= {"uid": uid, "resourceVersion": version, "creationTimestamp": "2030-01-01T00:00:00Z"}
    if deleted:
        made["metadata"]["deletionTimestamp"] = OVER
    made["spec"]["nodeName"] = node
    if not gated:
        made["spec"].pop("schedulingGates", None)
    statuses: dict[str, Any] = {"phase": "Running", **status}
    if worker is not None:
        statuses["containerStatuses"] = [_status("worker", worker)]
    if sidecar is not None:
        statuses["initContainerStatuses"] = [_status("sidecar", sidecar)]
    return msgspec.convert({**made, "status": statuses}, Pod)


def _status(name: str, given: dict[str, Any]) -> dict[str, Any]:
    state = {key: value for key, value in given.items() if key in ("waiting", "running", "terminated")}
    return {
        "name": name,
        "state": state,
        "lastState": given.get("last", {}),
        "restartCount": given.get("restarts", 0),
        "started": given.get("started"),
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def running(**more: Any) -> dict[str, Any]:
    return {"running": {"startedAt": BEGAN}, **more}


def terminated(code: int, reason: str = "Error", **fields: Any) -> dict[str, Any]:
    return {
        "terminated": {"exitCode": code, "reason": reason, "startedAt": BEGAN, "finishedAt": OVER, **fields}
    }
