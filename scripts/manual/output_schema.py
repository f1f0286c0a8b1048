"""docs/jobctl-output.schema.json: what each command of jobctl prints with --json, as JSON Schema.

Owns the shapes that jobctl makes itself; those of the daemon's answers are the wire's. Tests hold it against real output.

Source: JSON Schema 2020-12.
"""

import inspect
import json
import re
from typing import Any

import msgspec

from jobd.wire import view

FILE = "docs/jobctl-output.schema.json"
_REFERENCE = "#/$defs/{name}"


class Shape(msgspec.Struct, kw_only=True, omit_defaults=True, rename="camel"):
    """What all outputs share."""


class Submitted(Shape, kw_only=True):
    """A job that the daemon has taken; run prints it before the first line of the log."""

    id: str
    status: str
    uid: str = ""


class JobsOfList(Shape, kw_only=True):
    """Jobs, newest first. `more`: --limit left some out."""

    jobs: list[view.JobView]
    more: bool


class WatchedJob(view.JobView, frozen=True, kw_only=True):
    """A job under way. `last_line`: the last that it wrote, of the first that run."""

    last_line: str | None = None


class JobsOfTop(Shape, kw_only=True):
    """Jobs in the order in which they are shown."""

    jobs: list[WatchedJob]


class JobsShown(Shape, kw_only=True):
    """The jobs that were found, in the order in which they were named; also where it is one."""

    jobs: list[view.JobView]


class ExplainedJob(Shape, kw_only=True):
    """Why a job waits or failed. `cause` may be empty; `undelivered`: events that have not reached the receiver."""

    id: str
    what: str
    cause: str
    attempts: list[str]
    artifacts: list[str]
    last_lines: list[str]
    undelivered: int
    remedies: list[str]


class JobsExplained(Shape, kw_only=True):
    """The jobs that were found, in the order in which they were named; also where it is one."""

    jobs: list[ExplainedJob]


class LogLineOf(view.LogLine, frozen=True, kw_only=True):
    """A line of a job's log."""

    id: str


class LogEndOf(Shape, kw_only=True):
    """The end of a job, after its last line."""

    id: str
    end: view.End


class RunLine(view.LogLine, frozen=True, kw_only=True):
    """A line of the log of the job that is run. `time` and `stream` are always there."""


class Waited(Shape, kw_only=True):
    """A job that has ended."""

    id: str
    status: str
    exit_code: int | None = None
    reason: str | None = None


class Cancelling(Shape, kw_only=True):
    """The ids of the jobs that were told to end; they may still be ending."""

    cancelling: list[str]


class Removed(Shape, kw_only=True):
    """The ids of the jobs that were removed."""

    removed: list[str]


class Pruned(Shape, kw_only=True):
    """The ids of the jobs that were removed, or with --dry-run would be."""

    dry_run: bool
    removed: list[str]


class Copied(Shape, kw_only=True):
    """What was copied, and to where."""

    target: str
    files: int
    bytes: int


class FetchedOutput(Shape, kw_only=True):
    """An output, by its path in the workspace and where it is now."""

    path: str
    target: str


class Fetched(Shape, kw_only=True):
    """The outputs of a job that were fetched."""

    id: str
    outputs: list[FetchedOutput]


class ProblemOf(Shape, kw_only=True):
    """One thing that is wrong with a job file; `line` and `column` where they are known."""

    field: str
    message: str
    line: int | None = None
    column: int | None = None


class Validated(Shape, kw_only=True):
    """Whether a job file would be accepted."""

    valid: bool
    problems: list[ProblemOf]


class CloudEvent(Shape, kw_only=True):
    """A CloudEvent 1.0, as it is sent to a callback; docs/events.md says what its data is."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: dict[str, Any]
    jobsequence: int | None = None
    jobuid: str | None = None


class EventLine(Shape, kw_only=True):
    """An event of the feed, with its number there."""

    seq: int
    event: CloudEvent


class Received(Shape, kw_only=True):
    """An event that was received. `verified` is null where no key was given; `again`: it came before."""

    received_at: str
    path: str
    verified: bool | None
    again: bool
    event: CloudEvent
    reason: str | None = None


class Replayed(Shape, kw_only=True):
    """How many deliveries are sent again: those that were named, by number, or all that were given up of the job `id`."""

    replayed: int
    deliveries: list[int] | None = None
    id: str | None = None


class Proof(Shape, kw_only=True):
    """One signature. `key`: which of the keys made it."""

    header: str
    holds: bool
    said: str
    key: int | str | None = None


class Verified(Shape, kw_only=True):
    """Whether a body is the one that was signed."""

    verified: bool
    checks: list[Proof]
    reason: str | None = None


class Examined(Shape, kw_only=True):
    """One thing that was looked at; `remedy` where it is not as it should be."""

    name: str
    ok: bool
    found: str
    remedy: str | None = None


class Health(Shape, kw_only=True):
    """Whether everything is as it should be."""

    healthy: bool
    checks: list[Examined]


class Versions(Shape, kw_only=True):
    """The versions; `jobd` only where it was asked and answered."""

    jobctl: str
    jobd: view.Version | None = None


class Failure(Shape, kw_only=True):
    """What a command that failed says on standard error. `code` is stable; `field` is a path into the job's spec."""

    error: str
    code: str
    field: str | None = None
    hint: str | None = None


OUTPUTS: dict[str, tuple[tuple[type, ...], bool]] = {
    "run": ((Submitted, RunLine, view.LogEnd), True),
    "run -d": ((Submitted,), False),
    "submit": ((Submitted,), False),
    "ls": ((JobsOfList,), False),
    "ls --watch": ((view.JobView,), True),
    "top": ((JobsOfTop,), False),
    "show": ((JobsShown,), False),
    "explain": ((JobsExplained,), False),
    "logs": ((LogLineOf, LogEndOf), True),
    "wait": ((Waited,), True),
    "cancel": ((Cancelling,), False),
    "rm": ((Removed,), False),
    "prune": ((Pruned,), False),
    "cp": ((Copied,), False),
    "fetch": ((Fetched,), False),
    "validate": ((Validated,), False),
    "events": ((EventLine,), True),
    "deliveries": ((view.DeliveryList,), False),
    "replay": ((Replayed,), False),
    "verify": ((Verified,), False),
    "listen": ((Received,), True),
    "doctor": ((Health,), False),
    "version": ((Versions,), False),
    "error": ((Failure,), True),
}
"""What is printed -> the types of its values, and whether there is one a line (NDJSON) instead of one in all."""


def output_schema() -> str:
    """Returns the document as text."""
    types = list(dict.fromkeys(kind for kinds, _ in OUTPUTS.values() for kind in kinds))
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    reference = {kind: schema["$ref"] for kind, schema in zip(types, schemas, strict=True)}
    definitions: dict[str, Any] = dict(sorted(components.items()))
    for definition in definitions.values():
        if (
            "description" in definition
        ):  # a docstring, whose indentation the library's versions treat differently
            definition["description"] = inspect.cleandoc(definition["description"])
    commands = {}
    for name, (kinds, lines) in OUTPUTS.items():
        title = re.sub("[^a-z]+", "-", f"output-of-{name}")
        one = {"$ref": reference[kinds[0]]}
        definitions[title] = (
            one if len(kinds) == 1 else {"anyOf": [{"$ref": reference[kind]} for kind in kinds]}
        )
        commands[name] = {"lines": lines, "$ref": _REFERENCE.format(name=title)}
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What jobctl prints with --json",
        "description": "Each entry of `commands` refers to the shape of a command's standard output, `error` to that of an error on "
        "standard error. lines: one value a line (NDJSON), else one value in all. A field without a value may be absent. "
        "Later versions may add fields.",
        "commands": commands,
        "$defs": definitions,
    }
    return json.dumps(document, indent=1) + "\n"
