"""`jobctl validate`: whether a job file would be accepted, with the field and line that is wrong."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from jobctl.connection.config import defaults
from jobctl.connection.session import of
from jobctl.errors import Misuse, Unreachable
from jobctl.job import job_file
from jobctl.job.outcome import Outcome, Unhealthy
from jobctl.job.plan import generated_id, set_defaults
from jobctl.output import output

if TYPE_CHECKING:
    from jobctl.connection.client import Client
    from jobctl.job.job_file import Position
    from jobd.wire.problem import Problem

FORMATS = ("json", "yaml")
EXAMPLES = """
  jobctl validate -f job.yaml
  make-job | jobctl validate -f -
"""


def validate(
    ctx: typer.Context,
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="The same as -f FILE.", show_default=False)
    ] = None,
    option: Annotated[
        str | None, typer.Option("-f", "--file", metavar="FILE", help="A job file, JSON or YAML; - is stdin.")
    ] = None,
) -> Outcome | None:
    """Check a job file without running it: all that is wrong is named, with its field, line and column.

    The contract is checked here, and by the daemon as well where one runs: it knows what its engine can do.
    """
    from jobctl.job.job_fields import spec_fields
    from jobctl.job.spec_check import spec_problems
    from jobctl.job.submission import encoded, source_of
    from jobd.wire.problem import Problem

    session = of(ctx)
    if (file is None) == (option is None):
        raise Misuse("one job file is needed", hint="jobctl validate -f job.yaml")
    source = source_of(option if option is not None else file)
    twice: list[str] = []
    fields = spec_fields(job_file.parse(source.text, source.name, twice))
    tree = dict(fields.tree)
    if isinstance(tree.get("image"), str) and tree.get("id") is None:
        tree["id"] = generated_id(tree["image"], "000000")
    positions = job_file.Positions(source.text)
    found: list[tuple[Problem, Position | None]] = [
        (Problem(name, "is there twice"), at) for name, at in positions.repeated() if twice
    ]
    found += [(Problem(name, "is there twice"), None) for name in twice if not found]
    missing = {problem.field for problem in fields.problems}
    for problem in [*fields.problems, *spec_problems(tree)]:
        field = fields.in_file(problem.field)
        if field not in missing or problem in fields.problems:
            found.append((Problem(field, problem.message), positions.of(field)))
    asked = False
    if not found:
        set_defaults(tree, defaults(os.environ))
        refusal, asked = _daemon_says(session.client(), encoded(tree))
        if refusal:
            field = fields.in_file(refusal.field)
            found.append((Problem(field, refusal.message), positions.of(field)))
    found.sort(key=lambda each: (each[1].line, each[1].column) if each[1] else (1 << 30, 0))
    _show(found, source.name, session.format)
    if not found and not asked:
        output.note("jobd is not running, so what its engine can do was not checked")
    return Unhealthy() if found else None


def _show(found: "list[tuple[Problem, Position | None]]", name: str, format: str) -> None:
    if format in ("json", "yaml"):
        entries = [
            {
                "field": problem.field,
                "message": problem.message,
                **({"line": at.line, "column": at.column} if at else {}),
            }
            for problem, at in found
        ]
        output.tree({"valid": not found, "problems": entries}, format)
    elif not found:
        output.text(f"{name}: valid\n")
    for problem, at in found if format not in ("json", "yaml") else ():
        where = f"{name}:{at}" if at else name
        output.text(f"{where}: {problem.field + ': ' if problem.field else ''}{problem.message}\n")


def _daemon_says(client: "Client", spec: bytes) -> "tuple[Problem | None, bool]":
    """Returns the daemon's objection, if any, and whether there was a daemon to ask."""
    from jobctl.errors import Refused
    from jobd.wire.problem import Problem

    try:
        client.call("POST", "/v1/jobs", {"dryRun": 1}, spec)
    except Unreachable:
        return None, False
    except Refused as error:
        if error.transient:
            return None, False
        return Problem(error.field or "", error.message), True
    return None, True
