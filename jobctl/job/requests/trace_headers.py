"""The trace that a submission is a part of: from the environment into the headers of the request."""

from __future__ import annotations

import os


def trace_headers() -> dict[str, str]:
    """Returns the headers of the trace in `TRACEPARENT` and `TRACESTATE`; none without a valid one.

    Source: OpenTelemetry Specification 1, "Environment Variables as Context Propagation Carriers"; W3C Trace Context Level 1.
    """
    if "TRACEPARENT" not in os.environ:
        return {}
    from jobd.wire.trace import trace_context

    state = os.environ.get("TRACESTATE")
    found = trace_context([os.environ["TRACEPARENT"]], [] if state is None else [state])
    if found is None:
        return {}
    return (
        {"traceparent": found[0]} if found[1] is None else {"traceparent": found[0], "tracestate": found[1]}
    )
