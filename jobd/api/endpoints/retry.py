"""The endpoint that runs an ended job anew."""

import msgspec
from aiohttp import web

from jobd.api.body import Parameters, decode, read_json_bytes
from jobd.api.context import caller, context_of, credentials, trace_of
from jobd.api.memory import reserve_body
from jobd.api.respond import json_response
from jobd.api.upload import SubmissionBody, receive_multipart
from jobd.jobs.admission.resubmission import Resubmission
from jobd.wire.job import Dependency
from jobd.wire.validation.body import BodyDecoder
from jobd.wire.views.job import Accepted


class RetryBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a retry adds to the stored spec: the new job's id (absent: jobd derives one), the values of the secrets, which jobd does not
    keep, and what the new job waits for (absent: the dependencies that the old job still waited for at its end). `sources`: the ids of other
    jobs, by the ids of those whose files the spec takes. `outputs`: repeats only the outputs of a job that ended
    `output-failed`, on the workspace that is still there.
    """

    id: str | None = None
    secrets: dict[str, str] = {}
    after: list[Dependency] | None = None
    sources: dict[str, str] = {}
    outputs: bool = False

    def __repr__(self) -> str:
        return f"RetryBody(id={self.id!r}, ...)"


_decoder = BodyDecoder(RetryBody)


async def retry(request: web.Request) -> web.StreamResponse:
    """`POST /v1/jobs/{id}/retry`: no body, JSON, or multipart with the parts `spec` (the JSON) and `files`."""
    Parameters(request).done()
    if request.content_type != "multipart/form-data":
        return await _retry(request, SubmissionBody(await read_json_bytes(request, optional=True)))
    context = context_of(request)
    async with reserve_body(context.bodies, None) as reservation:
        received = await receive_multipart(request, context.upload_dir, context.max_upload_bytes, reservation)
        try:
            return await _retry(request, received)
        finally:
            if received.files is not None:
                received.files.unlink(missing_ok=True)


async def _retry(request: web.Request, received: SubmissionBody) -> web.StreamResponse:
    context = context_of(request)
    body = decode(received.spec, _decoder) if received.spec else RetryBody()
    record, is_new = await context.resubmitter.resubmit(
        Resubmission(
            job_id=request.match_info["id"],
            owner=caller(request),
            caller=credentials(request),
            trace=trace_of(request),
            new_id=body.id,
            secrets=body.secrets,
            after=body.after,
            sources=body.sources,
            files=received.files,
            files_digest=received.files_digest,
            outputs=body.outputs,
        )
    )
    if not is_new:
        return json_response(await context.jobs.get(record.id))
    accepted = Accepted(id=record.id, status=record.status, uid=record.uid)
    return json_response(accepted, 202, {"Location": f"/v1/jobs/{record.id}"})
