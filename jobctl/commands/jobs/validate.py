"""`jobctl validate`: checks a job file; each problem has its field and line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

from jobctl.connection.config import defaults
from jobctl.connection.session import session_of
from jobctl.errors import Misuse, Unreachable
from jobctl.job.outcome import Outcome, ProblemsFound
from jobctl.job.spec import job_file
from jobctl.job.spec.plan import set_defaults
from jobctl.output import output

if TYPE_CHECKING:
    import typer

    from jobctl.connection.client import Client
    from jobctl.job.spec.job_file import Position
    from jobd.wire.problem import Problem

FORMATS = ("json", "yaml")
EXAMPLES = """
  jobctl validate -f job.yaml
  make-job | jobctl validate -f -
  jobctl validate pipeline.yaml
  jobctl validate --schema > job-file.schema.json

\b
An editor with YAML support reads the schema of job files from the first line of a file:
  # yaml-language-server: $schema=./job-file.schema.json
"""


def validate(
    ctx: typer.Context,
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="The same as -f FILE.", show_default=False)
    ] = None,
    option: Annotated[
        str | None, typer.Option("-f", "--file", metavar="FILE", help="A job file, JSON or YAML; - is stdin.")
    ] = None,
    schema: Annotated[
        bool,
        typer.Option("--schema", help="Print the JSON Schema of job files, for editors, and check nothing."),
    ] = False,
) -> Outcome | None:
    """Check a job file without running it; name all problems with field, line and column.

    jobctl checks the fields, and a running daemon also checks what its engine supports.
    """
    from jobctl.job.requests.submission import encoded, source_of
    from jobctl.job.spec.file_check import check_file
    from jobd.wire.problem import Problem

    session = session_of(ctx)
    if schema:
        _print_schema(file if file is not None else option)
        return None
    if (file is None) == (option is None):
        raise Misuse("give one job file", hint="jobctl validate -f job.yaml")
    source = source_of(option if option is not None else file)
    repeated: list[str] = []
    checked = check_file(job_file.parse(source.text, source.name, repeated))
    positions = job_file.Positions(source.text)
    problems: list[tuple[Problem, Position | None]] = [
        (Problem(name, "is given twice"), at) for name, at in positions.repeated() if repeated
    ]
    problems += [(Problem(name, "is given twice"), None) for name in repeated if not problems]
    problems += [(problem, positions.position_of(problem.field)) for problem in checked.problems]
    checked_by_daemon = False
    client = session.client()
    for job in checked.jobs if not problems else ():
        set_defaults(job.tree, defaults(os.environ))
        refusal, checked_by_daemon = _check_with_daemon(client, encoded(job.tree))
        if refusal:
            field = job.in_file(refusal.field)
            problems.append((Problem(field, refusal.message), positions.position_of(field)))
        if not checked_by_daemon:
            break
    problems.sort(key=lambda each: (each[1].line, each[1].column) if each[1] else (1 << 30, 0))
    _show(problems, source.name, session.format)
    if not problems and not checked_by_daemon:
        output.note("jobd is not running, so jobctl did not check what its engine supports")
    return ProblemsFound() if problems else None


def _print_schema(file: str | None) -> None:
    from jobd.wire.job_file_schema import job_file_schema

    if file is not None:
        raise Misuse("--schema checks no file", hint="jobctl validate --schema > job-file.schema.json")
    output.text(job_file_schema().decode())


def _show(problems: list[tuple[Problem, Position | None]], name: str, format: str) -> None:
    if format in ("json", "yaml"):
        entries = [
            {
                "field": problem.field,
                "message": problem.message,
                **({"line": at.line, "column": at.column} if at else {}),
            }
            for problem, at in problems
        ]
        output.tree({"valid": not problems, "problems": entries}, format)
    elif not problems:
        output.text(f"{name}: valid\n")
    for problem, at in problems if format not in ("json", "yaml") else ():
        where = f"{name}:{at}" if at else name
        output.text(f"{where}: {problem.field + ': ' if problem.field else ''}{problem.message}\n")


def _check_with_daemon(client: Client, spec: bytes) -> tuple[Problem | None, bool]:
    """Returns the daemon's objection, if any, and whether a daemon has checked the spec."""
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
