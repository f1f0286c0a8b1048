"""The endpoints of jobs: submit, list, show, delete, cancel."""

from typing import Annotated

import msgspec
from aiohttp import web

from jobd.api.body import Parameters, decode, read_json_bytes
from jobd.api.context import caller, context_of, credentials, trace_of
from jobd.api.memory import reserve_body, respond_within
from jobd.api.respond import encoded_response, json_response
from jobd.api.upload import SubmissionBody, receive_multipart
from jobd.errors import InvalidRequest
from jobd.jobs.admission.submission import Submission
from jobd.jobs.service import ListQuery
from jobd.jobs.state.facts import CancelRequested
from jobd.wire.container import StopSignal
from jobd.wire.validation.body import BodyDecoder
from jobd.wire.validation.job_spec import decode_spec
from jobd.wire.validation.limits import MAX_PRIORITY, MIN_PRIORITY
from jobd.wire.views.job import TERMINAL, UNREADABLE, Accepted

STATUSES = frozenset({"accepted", "running", *TERMINAL, UNREADABLE})
MAX_CANCEL_TEXT = 256
MAX_GRACE_S = 3600
MAX_PAGE = 1000
VIEW_BYTES = 2 << 20
"""The memory that the view of one job may need."""


CancelText = Annotated[str, msgspec.Meta(extra_json_schema={"minLength": 1, "maxLength": MAX_CANCEL_TEXT})]
GraceSeconds = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0, "maximum": MAX_GRACE_S})]
"""Bounds for the OpenAPI document only: `cancel_request` checks them, so that its refusal names the field in the usual form."""


class CancelBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The optional body of a cancel: who cancels the job and why, the first signal to the worker, and the seconds until SIGKILL. Without
    the last two, the job's own count (`stopSignal`, `stopTimeoutSeconds`).
    """

    by: CancelText | None = None
    reason: CancelText | None = None
    signal: StopSignal | None = None
    grace_seconds: GraceSeconds | None = None


Priority = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": MIN_PRIORITY, "maximum": MAX_PRIORITY})]


class PriorityBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The new priority of a waiting job; absent: the job goes before all other waiting jobs."""

    priority: Priority | None = None


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """The response to a dry run: the spec is valid."""

    valid: bool


_cancel_decoder = BodyDecoder(CancelBody)
_priority_decoder = BodyDecoder(PriorityBody)


async def submit(request: web.Request) -> web.StreamResponse:
    """`POST /v1/jobs`: JSON, or multipart with the parts `spec` and `files`."""
    context = context_of(request)
    parameters = Parameters(request)
    dry_run = parameters.flag("dryRun")
    parameters.done()
    if request.content_type != "multipart/form-data":
        return await _submit(request, SubmissionBody(await read_json_bytes(request)), dry_run)
    async with reserve_body(context.bodies, None) as reservation:
        received = await receive_multipart(request, context.upload_dir, context.max_upload_bytes, reservation)
        try:
            return await _submit(request, received, dry_run)
        finally:
            if received.files is not None:
                received.files.unlink(missing_ok=True)


async def _submit(request: web.Request, received: SubmissionBody, dry_run: bool) -> web.StreamResponse:
    context = context_of(request)
    spec = decode_spec(received.spec)
    if dry_run:
        context.submitter.check(spec)
        await context.submitter.check_mounts(spec, credentials(request))
        await context.submitter.check_earlier_jobs(spec)
        return json_response(Checked(valid=True))
    submission = Submission(
        spec=spec,
        owner=caller(request),
        caller=credentials(request),
        trace=trace_of(request),
        files=received.files,
        files_digest=received.files_digest,
        idempotent="Idempotency-Key" in request.headers,
    )
    record, is_new = await context.submitter.submit(submission)
    if not is_new:
        return json_response(await context.jobs.get(record.id))
    accepted = Accepted(id=record.id, status=record.status, uid=record.uid)
    return json_response(accepted, 202, {"Location": f"/v1/jobs/{record.id}"})


async def list_jobs(request: web.Request) -> web.StreamResponse:
    """`GET /v1/jobs`."""
    parameters = Parameters(request)
    statuses = parameters.text("status")
    owner = parameters.text("owner")
    query = ListQuery(
        statuses=_statuses(statuses) if statuses else None,
        labels=dict(map(_label, parameters.texts("label"))),
        owner=(caller(request) or "") if owner == "me" else owner,
        since=parameters.timestamp("since"),
        prefix=parameters.text("prefix", "") or "",
        set_name=parameters.text("set") or None,
        cursor=parameters.text("cursor"),
        limit=parameters.number("limit", 100, 1, MAX_PAGE),
    )
    parameters.done()
    return json_response(await context_of(request).jobs.page(query))


async def show(request: web.Request) -> web.StreamResponse:
    """`GET /v1/jobs/{id}`."""
    Parameters(request).done()
    context = context_of(request)
    kept = context.job_views.kept(request.match_info["id"])
    if kept is not None:  # short, and in memory already
        return encoded_response(kept)
    return await respond_within(context.readers, VIEW_BYTES, request, _show)


async def _show(request: web.Request) -> web.StreamResponse:
    return encoded_response(await context_of(request).job_views.json(request.match_info["id"]))


async def delete(request: web.Request) -> web.StreamResponse:
    """`DELETE /v1/jobs/{id}`: stores the request before the response."""
    Parameters(request).done()
    await context_of(request).jobs.delete(request.match_info["id"], _by(request))
    return web.Response(status=204)


async def cancel(request: web.Request) -> web.StreamResponse:
    """`POST /v1/jobs/{id}/cancel`: the body is optional."""
    job_id, wanted = request.match_info["id"], await cancel_request(request)
    await context_of(request).jobs.cancel(job_id, wanted)
    return json_response(Accepted(id=job_id, status="cancelling"), 202)


async def cancel_request(request: web.Request) -> CancelRequested:
    """Returns what the optional body of a cancel asks for. Raises InvalidRequest, WrongMediaType, TooLarge."""
    Parameters(request).done()
    content = await read_json_bytes(request, optional=True)
    cancel_body = decode(content, _cancel_decoder) if content else CancelBody()
    if cancel_body.grace_seconds is not None and not 0 <= cancel_body.grace_seconds <= MAX_GRACE_S:
        raise InvalidRequest(f"graceSeconds: must be from 0 to {MAX_GRACE_S}", field="graceSeconds")
    for name, text in (("by", cancel_body.by), ("reason", cancel_body.reason)):
        if text is not None and not 0 < len(text) <= MAX_CANCEL_TEXT:
            raise InvalidRequest(f"{name}: must have 1 to {MAX_CANCEL_TEXT} characters", field=name)
    grace_s = None if cancel_body.grace_seconds is None else float(cancel_body.grace_seconds)
    return CancelRequested(
        by=cancel_body.by or _by(request),
        grace_s=0.0 if cancel_body.signal == "SIGKILL" else grace_s,
        delete=False,
        why=cancel_body.reason,
        signal=cancel_body.signal,
    )


async def prioritize(request: web.Request) -> web.StreamResponse:
    """`POST /v1/jobs/{id}/priority`: the body is optional."""
    Parameters(request).done()
    content = await read_json_bytes(request, optional=True)
    priority = decode(content, _priority_decoder).priority if content else None
    if priority is not None and not MIN_PRIORITY <= priority <= MAX_PRIORITY:
        raise InvalidRequest(f"priority: must be from {MIN_PRIORITY} to {MAX_PRIORITY}", field="priority")
    return json_response(await context_of(request).jobs.prioritize(request.match_info["id"], priority))


async def pause(request: web.Request) -> web.StreamResponse:
    """`POST /v1/jobs/{id}/pause`."""
    Parameters(request).done()
    return json_response(await context_of(request).jobs.pause(request.match_info["id"], True))


async def resume(request: web.Request) -> web.StreamResponse:
    """`POST /v1/jobs/{id}/resume`."""
    Parameters(request).done()
    return json_response(await context_of(request).jobs.pause(request.match_info["id"], False))


def _by(request: web.Request) -> str:
    return caller(request) or "the API"


def _statuses(text: str) -> frozenset[str]:
    names = frozenset(text.split(","))
    for name in names - STATUSES:
        raise InvalidRequest(
            f"unknown status {name[:64]!r}; use {', '.join(sorted(STATUSES))}", field="status"
        )
    return names


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InvalidRequest("label must be key=value", field="label")
    return key, value
