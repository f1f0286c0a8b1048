"""The API as one table: paths, handlers, and their descriptions for the OpenAPI document."""

from jobd.api.endpoints import (
    deliveries,
    groups,
    interactive,
    internal,
    jobs,
    probes,
    retry,
    sets,
    statistics,
    streams,
)
from jobd.api.route import Parameter, Route
from jobd.wire.job import JobSpec
from jobd.wire.job_file_schema import MEDIA_TYPE
from jobd.wire.report import InternalReports
from jobd.wire.views.daemon import Disk, Health, Version
from jobd.wire.views.deliveries import DeliveryList, DeliveryView, Replayed
from jobd.wire.views.job import Accepted, JobList, JobView
from jobd.wire.views.log import LogEnd, LogLine, LogUnfinished

_FLAG = {"type": "string", "enum": ["", "0", "1", "true", "false"]}
_SEQ = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
_LIMIT = {"type": "integer", "minimum": 1, "maximum": 1000}
_TEXT = {"type": "string", "pattern": "^[^\\u0000]*$"}
_STATUS = "|".join(sorted(jobs.STATUSES))
_STATUSES = {"type": "string", "pattern": f"^(({_STATUS})(,({_STATUS}))*)?$"}
_LABEL = {"type": "string", "pattern": "^[^=\\u0000]+=[^\\u0000]*$"}

_TRACE = (
    Parameter(
        "traceparent",
        _TEXT,
        "W3C Trace Context: goes to the job's environment and events; an invalid one is ignored",
        "header",
    ),
    Parameter("tracestate", _TEXT, "as traceparent, together with it", "header"),
)
_FOLLOW = Parameter("follow", _FLAG, "keep the connection open and send new ones")
_AFTER = Parameter("after", _SEQ, "only entries after this number: resumes without gap or repeat")

ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/v1/jobs",
        jobs.submit,
        "Submit a job",
        {202: (Accepted,), 200: (JobView, jobs.Checked)},
        (409, 413, 415, 429, 503, 507),
        body=JobSpec,
        multipart=True,
        parameters=(
            Parameter("dryRun", _FLAG, "only check the spec"),
            Parameter(
                "Idempotency-Key",
                _TEXT,
                "the same spec with the same files under the same id answers 200",
                "header",
            ),
            *_TRACE,
        ),
    ),
    Route(
        "GET",
        "/v1/jobs",
        jobs.list_jobs,
        "List jobs, newest first",
        {200: (JobList,)},
        parameters=(
            Parameter("status", _STATUSES, "comma list of statuses"),
            Parameter("label", {"type": "array", "items": _LABEL}, "key=value; repeat for several"),
            Parameter("owner", _TEXT, "jobs of this user; `me` for the caller's own"),
            Parameter("since", {"type": "string", "format": "date-time"}, "submitted at or after"),
            Parameter("prefix", _TEXT, "the start of the id"),
            Parameter("set", _TEXT, "jobs of this set"),
            Parameter("limit", _LIMIT, "jobs a page; a page may have fewer, or none, and a `next`"),
            Parameter("cursor", _TEXT, "`next` of the previous page"),
        ),
        response_bytes=16 << 20,
    ),
    Route(
        "GET",
        "/v1/jobs/{id}",
        jobs.show,
        "Show a job",
        {200: (JobView,)},
        (404,),
    ),
    Route(
        "DELETE",
        "/v1/jobs/{id}",
        jobs.delete,
        "Delete a job with its containers and workspace",
        {204: ()},
        (404, 507),
    ),
    Route(
        "POST",
        "/v1/jobs/{id}/cancel",
        jobs.cancel,
        "End a job, keep its record",
        {202: (Accepted,)},
        (404, 409, 413, 415, 507),
        body=jobs.CancelBody,
        body_required=False,
    ),
    Route(
        "POST",
        "/v1/jobs/{id}/retry",
        retry.retry,
        "Run an ended job anew under a new id",
        {202: (Accepted,), 200: (JobView,)},
        (404, 409, 413, 415, 429, 507),
        body=retry.RetryBody,
        body_required=False,
        multipart=True,
        parameters=_TRACE,
    ),
    Route(
        "POST",
        "/v1/jobs/{id}/priority",
        jobs.prioritize,
        "Change a waiting job's place in the queue",
        {200: (JobView,)},
        (404, 409, 413, 415, 507),
        body=jobs.PriorityBody,
        body_required=False,
        response_bytes=2 << 20,
    ),
    Route(
        "POST",
        "/v1/jobs/{id}/pause",
        jobs.pause,
        "Pause a job: its worker does not start, or stands still",
        {200: (JobView,)},
        (404, 409, 507),
        response_bytes=2 << 20,
    ),
    Route(
        "POST",
        "/v1/jobs/{id}/resume",
        jobs.resume,
        "Let a paused job start or run again",
        {200: (JobView,)},
        (404, 409, 507),
        response_bytes=2 << 20,
    ),
    Route(
        "GET",
        "/v1/jobs/{id}/logs",
        streams.logs,
        "A job's log; the last frame is {end}",
        {200: (LogLine, LogUnfinished, LogEnd)},
        (404, 409),
        parameters=(
            _FOLLOW,
            _AFTER,
            Parameter("tail", _SEQ, "the number of last lines"),
            Parameter("stream", {"type": "string", "enum": ["stdout", "stderr"]}, "only this stream"),
            Parameter("unfinished", _FLAG, "also the bytes of lines that have no newline yet"),
        ),
        media=("application/x-ndjson",),
    ),
    Route(
        "GET",
        "/v1/jobs/{id}/files",
        streams.files,
        "A file or folder of the workspace, as tar",
        {200: ()},
        (404, 409, 502, 503),
        parameters=(Parameter("path", _TEXT, "relative to the workspace"),),
        media=("application/x-tar",),
    ),
    Route(
        "GET",
        "/v1/jobs/{id}/deliveries",
        deliveries.list_deliveries,
        "A job's deliveries and their states",
        {200: (DeliveryList,)},
        (404,),
        parameters=(_AFTER, Parameter("limit", _LIMIT, "deliveries a page")),
        response_bytes=1 << 20,
    ),
    Route(
        "POST",
        "/v1/jobs/{id}/deliveries/replay",
        deliveries.replay_all,
        "Replay a job's parked and abandoned deliveries",
        {202: (Replayed,)},
        (404, 507),
    ),
    Route(
        "POST",
        "/v1/deliveries/{id}/replay",
        deliveries.replay,
        "Replay one delivery",
        {202: (DeliveryView,)},
        (404, 507),
    ),
    Route(
        "GET",
        "/v1/events",
        streams.events,
        "All events, with `follow` also new ones; SSE with Accept: text/event-stream",
        {200: ()},
        (404,),
        parameters=(
            _FOLLOW,
            _AFTER,
            Parameter("job", _TEXT, "only events of this job"),
            Parameter("Last-Event-ID", _TEXT, "SSE: the last event that the client has received", "header"),
        ),
        media=("application/x-ndjson", "text/event-stream"),
    ),
    *interactive.ROUTES,
    *groups.ROUTES,
    *sets.ROUTES,
    *statistics.ROUTES,
    Route(
        "GET",
        "/v1/version",
        probes.version,
        "The daemon, its engine and its settings",
        {200: (Version,)},
    ),
    Route(
        "GET",
        "/v1/disk",
        probes.disk,
        "The disk usage of jobd's data; may take seconds",
        {200: (Disk,)},
    ),
    Route(
        "GET",
        "/v1/schemas/job-file.json",
        probes.job_file,
        "The JSON Schema of job files, for editors",
        {200: ()},
        media=(MEDIA_TYPE,),
        response_bytes=256 << 10,
    ),
    Route(
        "POST",
        "/internal/events",
        internal.take_reports,
        "Reports of a sidecar that jobd cannot read from",
        {202: ()},
        (413, 415, 507),
        body=InternalReports,
    ),
    Route(
        "GET",
        "/livez",
        probes.livez,
        "Liveness: the process and its store work",
        {200: (Health,), 503: (Health,)},
        open=True,
    ),
    Route(
        "GET",
        "/readyz",
        probes.readyz,
        "Readiness: jobd can run jobs now",
        {200: (Health,), 503: (Health,)},
        open=True,
    ),
    Route("GET", "/openapi.json", probes.openapi, "This document", {200: ()}, response_bytes=256 << 10),
)
