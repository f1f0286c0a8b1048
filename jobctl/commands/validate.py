"""`jobctl validate`: whether a job file would be accepted, with the field and line that is wrong."""

from typing import TYPE_CHECKING, Annotated

import typer

from jobctl import jobfile, output
from jobctl.errors import Misuse, Unreachable
from jobctl.outcome import Outcome, Unhealthy
from jobctl.plan import generated_id
from jobctl.session import of

if TYPE_CHECKING:
    from jobctl.client import Client
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
    """Check a job file without running it: all that is wrong is named, with its field and line.

    The contract is checked here, and by the daemon as well where one runs: it knows what its engine can do.
    """
    from jobctl.submission import encoded, source_of
    from jobd.wire.problem import InvalidSpec, Problem
    from jobd.wire.validate import decode_spec

    session = of(ctx)
    if (file is None) == (option is None):
        raise Misuse("one job file is needed", hint="jobctl validate -f job.yaml")
    source = source_of(option if option is not None else file)
    tree = dict(source.tree)
    if isinstance(tree.get("image"), str) and tree.get("id") is None:
        tree["id"] = generated_id(tree["image"], "000000")
    problems: list[Problem] = []
    asked = False
    try:
        decode_spec(encoded(tree))
    except InvalidSpec as error:
        problems = list(error.problems)
    if not problems:
        problem, asked = _daemon_says(session.client(), encoded(tree))
        problems = [problem] if problem else []
    found = [(p, jobfile.line_of(source.text, p.field) if p.field else None) for p in problems]
    if session.format in ("json", "yaml"):
        entries = [
            {"field": p.field, "message": p.message, **({"line": line} if line else {})} for p, line in found
        ]
        output.tree({"valid": not problems, "problems": entries}, session.format)
    elif not problems:
        output.text(f"{source.name}: valid\n")
    else:
        for problem, line in found:
            at = f"{source.name}:{line}" if line else source.name
            output.text(f"{at}: {problem.field + ': ' if problem.field else ''}{problem.message}\n")
    if not problems and not asked:
        output.note("jobd is not running, so what its engine can do was not checked")
    return Unhealthy() if problems else None


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
