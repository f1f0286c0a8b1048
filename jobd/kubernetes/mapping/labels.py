"""Names, labels and annotations of a job's Pods, and the one check of their owner.

Pure. A job's id may be longer than a label's value: annotations have every value whole, and labels serve selectors.

Source: docs/kubernetes.md, "Names and labels"; Kubernetes documentation, "Labels and Selectors".
"""

import hashlib
import re
from collections.abc import Mapping

from jobd.jobs.port.model import MAX_UID, JobRef
from jobd.wire.validation.limits import MAX_ID

MANAGED_BY, SERVICE = "managed-by", "jobs-service"
JOB_ID = "job.id"
JOB_UID = "job.uid"
JOB_ATTEMPT = "job.attempt"
JOB_INSTANCE = "job.instance"
DIGEST = "job.digest"
"""An annotation: the digest of the Pod's body as jobd has sent it, without the fields that the API server adds."""
FILLED = "job.filled"
"""An annotation: the local files are in the workspace."""
ORDERED = "job.ordered"
"""An annotation: the sidecar's order is being sent, or was."""
FINALIZER = "jobs-service/exit-code"
"""Keeps the object of a deleted Pod until jobd has read how the worker ended."""

MAX_LABEL = 63
_SLUG = 30
_HASH = 12


def pod_name(ref: JobRef, instance: str) -> str:
    """Returns the name of an attempt's Pod: readable, and one of its own for every attempt of every jobd."""
    slug = re.sub(r"[^a-z0-9]+", "-", ref.id.lower())[:_SLUG].strip("-")
    digest = hashlib.sha256(f"{instance}\0{ref.uid}".encode()).hexdigest()[:_HASH]
    return "-".join(part for part in ("job", slug, digest, str(ref.attempt)) if part)


def label_value(text: str) -> str:
    """Returns a text as a label's value: unchanged where that is allowed, else as a digest."""
    if len(text) <= MAX_LABEL and re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?", text):
        return text
    return "sha256-" + hashlib.sha256(text.encode()).hexdigest()[:40]


def pod_labels(ref: JobRef, instance: str) -> dict[str, str]:
    """Returns the labels of an attempt's Pod."""
    values = {JOB_ID: ref.id, JOB_UID: ref.uid, JOB_ATTEMPT: str(ref.attempt), JOB_INSTANCE: instance}
    return {MANAGED_BY: SERVICE, **{name: label_value(value) for name, value in values.items()}}


def pod_annotations(ref: JobRef, instance: str) -> dict[str, str]:
    """Returns the annotations of an attempt's Pod."""
    return {JOB_ID: ref.id, JOB_UID: ref.uid, JOB_ATTEMPT: str(ref.attempt), JOB_INSTANCE: instance}


def selector_of_instance(instance: str) -> str:
    """Returns the selector of all Pods of this jobd."""
    return f"{MANAGED_BY}={SERVICE},{JOB_INSTANCE}={label_value(instance)}"


def selector_of_job(ref: JobRef, instance: str) -> str:
    """Returns the selector of the Pods of all attempts of a job."""
    return f"{selector_of_instance(instance)},{JOB_UID}={label_value(ref.uid)}"


def ref_of(annotations: Mapping[str, str], labels: Mapping[str, str], instance: str) -> JobRef | None:
    """Returns the attempt of a Pod; None if the Pod is foreign or its annotations are damaged."""
    if labels.get(MANAGED_BY) != SERVICE or annotations.get(JOB_INSTANCE) != instance:
        return None
    uid, job_id, attempt = (annotations.get(name, "") for name in (JOB_UID, JOB_ID, JOB_ATTEMPT))
    if not (0 < len(uid) <= MAX_UID and 0 < len(job_id) <= MAX_ID):
        return None
    if not (attempt.isascii() and attempt.isdigit()) or len(attempt) > 9:
        return None
    return JobRef(uid=uid, id=job_id, attempt=int(attempt))
