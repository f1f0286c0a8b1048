"""Orders for the sidecar."""

from pathlib import Path
from typing import Any

from jobd.wire.artifact import Artifact
from jobd.wire.report import SidecarOrder


def order_of(root: Path, *artifacts: Artifact, **options: Any) -> SidecarOrder:
    """Returns an order whose worker owns `root`."""
    status = root.stat()
    given: dict[str, Any] = {
        "job_id": "job-1",
        "job_uid": "uid-1",
        "artifacts": list(artifacts),
        "workspace": str(root),
        "worker_uid": status.st_uid,
        "worker_gid": status.st_gid,
    }
    return SidecarOrder(**given | options)
