"""The trace context that a submission may carry: `traceparent` and `tracestate`. Pure.

What does not follow the specification is ignored and is no error: a submission without a trace is as good. A newer version of
`traceparent` is read by the fields of version 00 and handed on as version 00.

Source: W3C Trace Context Level 1, 3.2 (traceparent), 3.3 (tracestate), 4 (processing model).
"""

import re
from collections.abc import Mapping, Sequence

PARENT_VARIABLE, STATE_VARIABLE = "TRACEPARENT", "TRACESTATE"
MAX_STATE = 512
"""In characters. Longer ones lose whole members: first those of more than `LONG_MEMBER`, then the last."""
LONG_MEMBER = 128
MAX_MEMBERS = 32

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_MEMBER = re.compile(
    r"[a-z0-9][a-z0-9_\-*/]{0,240}(@[a-z][a-z0-9_\-*/]{0,13})?=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]",
    re.ASCII,
)


def trace_context(parents: Sequence[str], states: Sequence[str] = ()) -> tuple[str, str | None] | None:
    """Returns the `traceparent` and, if valid, the `tracestate` of these headers; None without exactly one valid `traceparent`."""
    parent = _parent(parents[0]) if len(parents) == 1 else None
    return None if parent is None else (parent, _state(states))


def with_trace(environment: Mapping[str, str], parent: str, state: str | None) -> dict[str, str]:
    """Returns the environment with the trace in `TRACEPARENT` and `TRACESTATE`; unchanged if it has a trace of its own."""
    if PARENT_VARIABLE in environment:
        return dict(environment)
    trace = {PARENT_VARIABLE: parent} if state is None else {PARENT_VARIABLE: parent, STATE_VARIABLE: state}
    return {**trace, **environment}


def _parent(text: str) -> str | None:
    match = _PARENT.fullmatch(text.strip(" \t"))
    if match is None:
        return None
    version, trace, span, flags, rest = match.groups()
    if (
        version == "ff"
        or (version == "00" and rest is not None)
        or not trace.strip("0")
        or not span.strip("0")
    ):
        return None
    # Of the flags of a newer version only `sampled` is known.
    return f"00-{trace}-{span}-{flags if version == '00' else f'{int(flags, 16) & 1:02x}'}"


def _state(texts: Sequence[str]) -> str | None:
    members = [stripped for text in texts for one in text.split(",") if (stripped := one.strip(" \t"))]
    keys = {one.partition("=")[0] for one in members}
    if not members or len(members) > MAX_MEMBERS or len(keys) < len(members):
        return None
    if not all(map(_MEMBER.fullmatch, members)):
        return None
    while len(",".join(members)) > MAX_STATE:
        longest = [n for n, one in enumerate(members) if len(one) > LONG_MEMBER]
        del members[longest[-1] if longest else -1]
    return ",".join(members) or None
