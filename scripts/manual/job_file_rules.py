"""What a value of a job file may be, as JSON Schema: the rules of the wire contract, and the forms that only files have. Made of the limits,
patterns and tables of the code.
"""

import re
from typing import Any

from jobctl.job.spec import container_fields
from jobctl.sets import document, values
from jobctl.sets.placeholders import NAME
from jobctl.units import _DAYS, _MEMORY
from jobd.wire.container import NO_NETWORK, ULIMITS
from jobd.wire.duration import _PART
from jobd.wire.event import SOURCES
from jobd.wire.job import ALL_CAPABILITIES, CAPABILITIES, RETRY_REASONS
from jobd.wire.validation import artifacts, container, job_spec, limits, network

Schema = dict[str, Any]


def ecma(pattern: "re.Pattern[str] | str") -> str:
    r"""Returns the pattern in the dialect of JSON Schema: without names of groups, `\Z` and the flag for upper and lower case."""
    text = pattern if isinstance(pattern, str) else pattern.pattern
    text = re.sub(r"\(\?P<\w+>", "(", text).replace(r"\Z", "$")
    if isinstance(pattern, str) or not pattern.flags & re.IGNORECASE:
        return text
    found, in_class, at = "", False, 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            found += text[at : at + 2]
            at += 2
            continue
        in_class = char == "[" or (in_class and char != "]")
        assert not (in_class and char == "-"), "a range of letters would need two"
        both = char.lower() + char.upper() if char.isalpha() else char
        found += both if in_class or not char.isalpha() else f"[{both}]"
        at += 1
    return found


def text(pattern: "re.Pattern[str] | str", longest: int | None = None, *, empty: bool = False) -> Schema:
    """Returns a text of a pattern; `empty`: or the empty text, which means that the field is absent."""
    made = ecma(pattern)
    schema: Schema = {"type": "string", "pattern": f"^$|{made}" if empty else made}
    return schema | ({} if longest is None else {"maxLength": longest})


def _number(low: float, high: float, kind: str = "integer") -> Schema:
    return {"type": kind, "minimum": low, "maximum": high}


def _either(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def _list(most: int, items: Schema | None = None) -> Schema:
    return {"maxItems": most} | ({} if items is None else {"items": items})


_ID = text(limits.ID_PATTERN, limits.MAX_ID)
_TEXT = {"type": "string"}
_AMOUNT = text(rf"^\s*{ecma(_MEMORY).removeprefix('^').removesuffix('$')}\s*$")
_DURATION = text(rf"^(?:\d+(?:\.\d+)?|{ecma(_DAYS)}(?:\+?(?:{ecma(_PART)})+)?)$", 64)
_PAIRS = {"type": "array", "items": text("=")}
_MAP = {"type": "object", "additionalProperties": {"type": ["string", "null"]}}
_SIGNAL = text(
    rf"^(?:[sS][iI][gG])?(?:{'|'.join(ecma(re.compile(name, re.IGNORECASE)) for name in container_fields._SIGNALS)})$|^\d{{1,2}}$"
)

FIELDS: dict[str, Schema] = {
    "id": _ID,
    "image": text(job_spec._IMAGE, limits.MAX_IMAGE),
    "meta": {"maxProperties": limits.MAX_META},
    "labels": {"maxProperties": limits.MAX_LABELS},
    "entrypoint": {"minItems": 1},
    "cpu": _either({"const": 0}, _number(0.01, limits.MAX_CPU, "number")),
    "memory": _either({"const": 0}, _number(limits.MIN_MEMORY_MB, limits.MAX_MEMORY_MB)),
    "timeoutSeconds": _number(0, limits.MAX_TIMEOUT_S),
    "workspace": text("^/", limits.MAX_PATH, empty=True),
    "workingDir": text("^/", limits.MAX_PATH, empty=True),
    "artifacts": _list(limits.MAX_ARTIFACTS),
    "outputs": _list(limits.MAX_OUTPUTS),
    "pids": _number(0, limits.MAX_PIDS),
    "user": text(job_spec._USER),
    "platform": text(job_spec._PLATFORM),
    "runtime": text(job_spec._RUNTIME),
    "capDrop": _list(len(CAPABILITIES) + 1, {"enum": [ALL_CAPABILITIES, *sorted(CAPABILITIES)]}),
    "capAdd": _list(len(CAPABILITIES), {"enum": sorted(CAPABILITIES)}),
    "secrets": {"maxProperties": limits.MAX_SECRETS, "propertyNames": text(job_spec._SECRET)},
    "retries": _number(0, limits.MAX_RETRIES),
    "retryOn": _list(limits.MAX_RETRY_ON, _either(_number(1, 255), {"enum": sorted(RETRY_REASONS)})),
    "priority": _number(limits.MIN_PRIORITY, limits.MAX_PRIORITY),
    "group": text(limits.GROUP_PATTERN, limits.MAX_GROUP, empty=True),
    "set": text(limits.GROUP_PATTERN, limits.MAX_GROUP, empty=True),
    "after": _list(limits.MAX_AFTER),
    "gpus": _either(_number(0, limits.MAX_GPUS), {"const": "all"}),
    "stopTimeoutSeconds": _number(0, limits.MAX_STOP_S),
    "mounts": _list(limits.MAX_MOUNTS),
    "tmpfs": {"maxProperties": limits.MAX_TMPFS},
    "shmSize": _number(0, limits.MAX_SHM_MB),
    "hostname": text(network._HOSTNAME, limits.MAX_HOSTNAME, empty=True),
    "network": text(network._NETWORK, limits.MAX_NETWORK, empty=True)
    | {"not": {"enum": sorted(network._OTHERS_NETWORKS)}, "examples": [NO_NETWORK, "bridge"]},
    "ports": _list(limits.MAX_PORTS),
    "extraHosts": _list(limits.MAX_EXTRA_HOSTS),
    "dns": _list(limits.MAX_DNS),
    "ulimits": _list(len(ULIMITS)),
    "devices": _list(limits.MAX_DEVICES),
}
"""Field of the job spec -> its rule, beside the type of the spec."""

INNER: dict[str, dict[str, Schema]] = {
    "Callback": {"events": _list(limits.MAX_CALLBACK_EVENTS, {"enum": sorted(SOURCES)})},
    "Dependency": {"job": _ID},
    "Mount": {"source": text("^/", limits.MAX_PATH), "target": text("^/", limits.MAX_PATH)},
    "Port": {
        "containerPort": _number(1, limits.MAX_PORT),
        "hostPort": _number(limits.MIN_HOST_PORT, limits.MAX_PORT),
    },
    "Ulimit": {
        "name": {"enum": sorted(ULIMITS)},
        "soft": {"minimum": -1},
        "hard": {"minimum": -1},
    },
    "Device": {
        "source": text(f"^{container._DEVICES}"),
        "target": text(f"^{container._DEVICES}"),
        "permissions": text(r"^[rwm]{1,3}$"),
    },
    "Output": {"path": text("^[^/]", limits.MAX_PATH)},
    "Download": {"sha256": text(artifacts._SHA256), "maxBytes": {"minimum": 1}, "in": text("^https?://")},
    "Write": {"mode": text(artifacts._MODE)},
    "Upload": {"out": text("^https?://")},
}
"""Struct -> field -> its rule. Each artifact also has the rule of an id."""

FORMS: dict[str, Schema] = {
    "memory": _AMOUNT,
    "timeoutSeconds": _DURATION,
    "environment": _PAIRS,
    "labels": _PAIRS,
    "meta": _PAIRS,
    "entrypoint": _TEXT,
    "callback": text("^https?://"),
    "after": {"type": "array", "items": text(rf"{limits.ID_PATTERN[:-1]}(?::(?:completed|any|failed))?$")},
    "user": {"const": "me"},
    "stopSignal": _SIGNAL,
    "stopTimeoutSeconds": _DURATION,
    "shmSize": _AMOUNT,
    "tmpfs": {"type": "array", "items": text("^/")},
    "mounts": {"type": "array", "items": text("^[/.][^:]*:/")},
    "ports": {"type": "array", "items": text(container_fields._PORT)},
    "extraHosts": {"type": "array", "items": text("[:=]")},
    "ulimits": {"type": "array", "items": text(container_fields._LIMIT)},
    "devices": {"type": "array", "items": text("^/")},
}
"""Field -> the form that a job file has beside that of the API. `jobctl/job/spec/job_fields.py` converts each."""

PLACEHOLDER = {"type": "string", "pattern": rf"\{{{NAME}"}
"""Any text of a job with a matrix may have one: what it becomes is known only then."""
MATRIX: Schema = {
    "description": "Names and their values; the job runs once for each combination, with a value in the place of {NAME}.",
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"pattern": f"^{NAME}$", "not": {"enum": list(values.RESERVED)}},
    "additionalProperties": _either(
        {"type": "string", "minLength": 1},
        {"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean"]}},
    ),
}
JOB_NAMES: Schema = {"pattern": ecma(f"^{document._NAME.pattern}"), "maxLength": document.LONGEST_NAME}
JOB_OF_FILE = text(r"^[a-zA-Z0-9][a-zA-Z0-9_-]*(?::(?:completed|any|failed))?$")
"""An entry of `after` of a job of several."""
