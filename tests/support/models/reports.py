"""Facts of a sidecar's reports, for tests of the state machine."""

from collections.abc import Callable
from typing import Any

from jobd.jobs.port.model import ImageFacts
from jobd.jobs.state import facts
from jobd.wire import report

Job = Callable[..., Any]
IMAGE = ImageFacts("sha256:1", "sha256:2")


def reported(sent: report.Report) -> facts.Reported:
    return facts.Reported(sent)


def unread(**heading: Any) -> facts.ReportUnread:
    return facts.ReportUnread("cannot be read: '{'", report.Heading(**heading))


def done(n: int, name: str, status: Any = "success", **fields: Any) -> facts.Reported:
    return facts.Reported(
        report.ArtifactDone(n=n, artifact_id=name, artifact_type="read", status=status, **fields)
    )
