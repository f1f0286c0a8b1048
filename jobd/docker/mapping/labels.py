"""Names and labels of a job's things on the engine, and the one test of whose a thing is.

Pure. Owns every name that `docker ps` shows. Whatever lacks our labels, or carries another instance's, is foreign.

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
"""On the volume alone: a random text of the `create` that made it, which tells a fresh volume from one that was there."""

ROLES: tuple[Role, ...] = ("worker", "sidecar")


def container_name(job_id: str, role: Role) -> str:
    """Returns the name that the guide fixes for a job's container."""
    return f"job-{job_id}-{role}"


def volume_name(job_id: str) -> str:
    """Returns the name that the guide fixes for a job's workspace volume."""
    return f"job-{job_id}-workspace"


def secrets_name(job_id: str) -> str:
    """Returns the name of the volume in memory that holds a job's secrets, where it has some."""
    return f"job-{job_id}-secrets"


def volume_names(job_id: str) -> tuple[str, str]:
    """Returns the names of all volumes that a job may have."""
    return volume_name(job_id), secrets_name(job_id)


def network_name(instance: str) -> str:
    """Returns the name of the network that all containers of one instance of jobd join."""
    return f"{SERVICE}-{instance}"


def instance_labels(instance: str) -> dict[str, str]:
    """Returns the labels that say: made by this instance of jobd."""
    return {MANAGED_BY: SERVICE, JOB_INSTANCE: instance}


def job_labels(ref: JobRef, instance: str) -> dict[str, str]:
    """Returns the labels of anything that belongs to one attempt of a job."""
    return {
        **instance_labels(instance),
        JOB_ID: ref.id,
        JOB_UID: ref.uid,
        JOB_ATTEMPT: str(ref.attempt),
    }


def container_labels(ref: JobRef, instance: str, role: Role) -> dict[str, str]:
    """Returns the labels of one of a job's containers."""
    return {**job_labels(ref, instance), JOB_TYPE: role}


def is_ours(labels: Mapping[str, str] | None, instance: str) -> bool:
    """True where this instance of jobd made what carries `labels`."""
    return labels is not None and labels.get(MANAGED_BY) == SERVICE and labels.get(JOB_INSTANCE) == instance


def ref_of(labels: Mapping[str, str] | None, instance: str) -> JobRef | None:
    """Returns the attempt that `labels` name, or None where they are foreign or damaged."""
    if labels is None or not is_ours(labels, instance):
        return None
    uid, job_id, attempt = labels.get(JOB_UID), labels.get(JOB_ID), labels.get(JOB_ATTEMPT, "")
    if not uid or not job_id or not (attempt.isascii() and attempt.isdigit()) or len(attempt) > 9:
        return None
    if len(uid) > MAX_UID or len(job_id) > MAX_ID:
        return None  # no job's: a reference is remembered, so its length is bounded
    return JobRef(uid=uid, id=job_id, attempt=int(attempt))
