"""Names and labels of a job's containers and volumes, and the one check of their owner.

Pure. Owns every name that `docker ps` shows. An object without jobd's labels, or with another instance's, is foreign.

Source: docs/development.md, "Looking at a running system".
"""

from collections.abc import Mapping

from jobd.jobs.port.model import MAX_UID, JobRef, Role
from jobd.wire.validation.limits import MAX_ID

Labels = Mapping[str, str]

MANAGED_BY = "managed-by"
SERVICE = "jobs-service"
JOB_ID = "job.id"
JOB_TYPE = "job.type"
JOB_UID = "job.uid"
JOB_ATTEMPT = "job.attempt"
JOB_INSTANCE = "job.instance"
MAKING = "job.making"
"""On volumes only: a random text for each `create`, which tells a new volume from an existing one."""

ROLES: tuple[Role, ...] = ("worker", "sidecar")
SANDBOX = "sandbox"
"""The value of `job.type` on network sandboxes, which belong to no job."""


def container_name(job_id: str, role: Role) -> str:
    """Returns the name of a job's container, fixed by the guide."""
    return f"job-{job_id}-{role}"


def volume_name(job_id: str) -> str:
    """Returns the name of a job's workspace volume, fixed by the guide."""
    return f"job-{job_id}-workspace"


def secrets_name(job_id: str) -> str:
    """Returns the name of the tmpfs volume with a job's secrets."""
    return f"job-{job_id}-secrets"


def volume_names(job_id: str) -> tuple[str, str]:
    """Returns the names of all volumes that a job may have."""
    return volume_name(job_id), secrets_name(job_id)


def network_name(instance: str) -> str:
    """Returns the name of the network of one instance of jobd."""
    return f"{SERVICE}-{instance}"


def instance_labels(instance: str) -> dict[str, str]:
    """Returns the labels of every object of this instance of jobd."""
    return {MANAGED_BY: SERVICE, JOB_INSTANCE: instance}


def job_labels(ref: JobRef, instance: str) -> dict[str, str]:
    """Returns the labels of every object of one attempt of a job."""
    return {
        **instance_labels(instance),
        JOB_ID: ref.id,
        JOB_UID: ref.uid,
        JOB_ATTEMPT: str(ref.attempt),
    }


def container_labels(ref: JobRef, instance: str, role: Role) -> dict[str, str]:
    """Returns the labels of one of a job's containers."""
    return {**job_labels(ref, instance), JOB_TYPE: role}


def is_owned(labels: Mapping[str, str] | None, instance: str) -> bool:
    """True if `labels` are those of an object of this instance of jobd."""
    return labels is not None and labels.get(MANAGED_BY) == SERVICE and labels.get(JOB_INSTANCE) == instance


def ref_of(labels: Mapping[str, str] | None, instance: str) -> JobRef | None:
    """Returns the attempt in `labels`; None if they are foreign or damaged."""
    if labels is None or not is_owned(labels, instance):
        return None
    uid, job_id, attempt = labels.get(JOB_UID), labels.get(JOB_ID), labels.get(JOB_ATTEMPT, "")
    if not uid or not job_id or not (attempt.isascii() and attempt.isdigit()) or len(attempt) > 9:
        return None
    if len(uid) > MAX_UID or len(job_id) > MAX_ID:
        return None  # too long for a job's labels; jobd caches references, so their length is bounded
    return JobRef(uid=uid, id=job_id, attempt=int(attempt))
