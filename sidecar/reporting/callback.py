"""Direct mode: sends signed artifact events to the job's callback.

All tries of an event have the same id and bytes. jobd's dispatcher sends the events that fail here, under the same id, which is made
of the job's uid and the artifact's id.

Source: docs/events.md, "Signatures"; docs/events.md, "What an answer means".
"""

import time
from datetime import UTC, datetime
from typing import Any

from jobd.wire.artifact import Artifact, kind_of
from jobd.wire.event import ARTIFACT, binding_headers, encode
from jobd.wire.report import DirectCallback, SidecarOrder, artifact_event_key
from jobd.wire.signing import signature_headers
from sidecar.errors import ArtifactError
from sidecar.plan import Outcome
from sidecar.reporting.report import note
from sidecar.transfer.http import Body, Http, Request
from sidecar.transfer.http_errors import HttpFailure

RETRIES = 3
_GONE = 410


def event_id(order: SidecarOrder, artifact_id: str) -> str:
    """Returns the id of an artifact's event, the same in every try and in jobd."""
    return f"{order.job_uid}-{artifact_event_key(artifact_id, order.attempt)}"


def event_data(order: SidecarOrder, artifact: Artifact, outcome: Outcome, content: Any) -> dict[str, Any]:
    """Returns the `data` of an artifact's event."""
    data: dict[str, Any] = {
        "jobId": order.job_id,
        "artifactId": artifact.id,
        "artifactType": kind_of(artifact),
        "status": outcome.status,
    }
    if content is not None:
        data["content"] = content
    if outcome.why:
        data["error"] = outcome.why
    return data | {"meta": order.meta}


class CallbackSender:
    """Posts to one callback. After an event has failed all its tries, later events get a single try until one succeeds."""

    def __init__(self, order: SidecarOrder, callback: DirectCallback, http: Http) -> None:
        self._order, self._callback, self._http = order, callback, http
        self._retries = RETRIES
        self._gone = False

    def send(self, artifact: Artifact, outcome: Outcome, content: Any) -> bool:
        """Returns True where the receiver accepted the event, False where it did not or `events` excludes the event."""
        if self._gone or (self._callback.events and ARTIFACT not in self._callback.events):
            return False
        body = encode(
            event_id=event_id(self._order, artifact.id),
            type=ARTIFACT,
            job_id=self._order.job_id,
            job_uid=self._order.job_uid,
            timestamp=datetime.now(UTC),
            sequence=None,
            data=event_data(self._order, artifact, outcome, content),
        )
        signed = signature_headers(
            self._callback.key, event_id(self._order, artifact.id), int(time.time()), body
        )
        request = Request(
            method="POST",
            url=self._callback.url,
            limit_s=self._order.callback_timeout_s,
            retries=self._retries,
            headers=binding_headers(body) | signed,
            body=lambda: Body(len(body), iter((body,))),
            follows_redirects=False,
        )
        try:
            self._http.deliver(request)
        except ArtifactError as error:
            self._retries = 0
            self._gone = isinstance(error, HttpFailure) and error.status == _GONE
            note(f"the event of artifact {artifact.id!r} was not delivered: {error}")
            return False
        self._retries = RETRIES
        return True
